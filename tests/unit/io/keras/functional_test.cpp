#include "io/keras/functional.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <tuple>

#include "io/hdf5/attributes.h"
#include "io/keras/config_reader.h"
#include "io/keras/keras_file.h"
#include "io/keras/stored_weights.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::TempDir;

/// A layer of a Functional model as Keras 3 writes it; `sources`: the layers whose tensors it takes.
std::string keras3(const std::string& class_name, const std::string& name, const std::string& config,
                   const std::vector<std::string>& sources, const std::string& kwargs = "{}") {
  std::string tensors;
  for (const std::string& source : sources) {
    tensors += (tensors.empty() ? "" : ", ") +
               (R"({"class_name": "__keras_tensor__", "config": {"shape": [null, 4], "dtype": "float32", "keras_history": [")" + source +
                R"(", 0, 0]}})");
  }
  const std::string args = sources.size() > 1 ? "[[" + tensors + "]]" : "[" + tensors + "]";
  return R"({"module": "keras.layers", "class_name": ")" + class_name + R"(", "config": {"name": ")" + name + "\"" +
         (config.empty() ? "" : ", " + config) + R"(}, "registered_name": null, "name": ")" + name + R"(", "inbound_nodes": [)" +
         (sources.empty() ? "" : R"({"args": )" + args + R"(, "kwargs": )" + kwargs + "}") + "]}";
}

std::string model_of(const std::vector<std::string>& layers, const std::string& outputs = R"(["b", 0, 0])") {
  std::string list;
  for (const std::string& layer : layers) list += (list.empty() ? "" : ", ") + layer;
  return R"({"module": "keras", "class_name": "Functional", "config": {"name": "m", "layers": [)" + list +
         R"(], "input_layers": [["in", 0, 0]], "output_layers": )" + outputs + "}, \"compile_config\": {}}";
}

const std::string kIn = keras3("InputLayer", "in", R"("batch_shape": [null, 4])", {});
const std::string kA = keras3("Dense", "a", R"("units": 3, "activation": "relu")", {"in"});
const std::string kB = keras3("Dense", "b", R"("units": 2)", {"a"});

TEST(Functional, AChainIsASequentialInWhateverOrderItIsWritten) {
  for (const std::string& json : {model_of({kIn, kA, kB}), model_of({kB, kIn, kA}), model_of({kIn, kA, kB}, R"([["b", 0, 0]])")}) {
    const StoredModel stored = read_model_config("f", json);
    ASSERT_EQ(stored.model.layers().size(), 3U);
    EXPECT_EQ(layer_name(stored.model.layers()[1]), "a");
    EXPECT_EQ(layer_name(stored.model.layers()[2]), "b");
    EXPECT_EQ(stored.model.input_shape(), Shape{4});
    EXPECT_EQ(stored.model.output_width(), 2);
  }
}

TEST(Functional, Keras2WritesNodesAsLists) {
  const StoredModel stored = read_model_config("f", R"({"class_name": "Functional", "config": {"name": "old", "layers": [
    {"class_name": "InputLayer", "config": {"batch_input_shape": [null, 4], "dtype": "float32", "sparse": false, "ragged": false,
     "name": "in"}, "name": "in", "inbound_nodes": []},
    {"class_name": "Dense", "config": {"name": "d", "units": 2, "kernel_initializer": {"class_name": "GlorotUniform",
     "config": {"seed": null}}}, "name": "d", "inbound_nodes": [[["in", 0, 0, {}]]]}],
    "input_layers": [["in", 0, 0]], "output_layers": [["d", 0, 0]]}})");
  EXPECT_EQ(stored.model.layers().size(), 2U);
}

TEST(Functional, WhatIsNoChainNamesTheLayer) {
  const auto load = [](const std::vector<std::string>& layers, const std::string& outputs = R"(["b", 0, 0])") {
    return [=] { read_model_config("f.keras: config.json", model_of(layers, outputs)); };
  };
  const std::string add = keras3("Add", "sum", "", {"a", "in"});
  expect_error(load({kIn, kA, add}, R"(["sum", 0, 0])"), {"f.keras", "'sum' (Add)", "takes 2 tensors", "chains", "Sequential"});
  expect_error(load({kIn, kA, kB, keras3("Dense", "c", R"("units": 1)", {"a"})}), {"'c' (Dense)", "shares its input 'a'"});
  expect_error(load({kIn, kA, kB}, R"([["a", 0, 0], ["b", 0, 0]])"), {"'b' (Dense)", "comes after 'a'"});
  expect_error(load({kIn, kA, kB}, R"(["a", 0, 0])"), {"'b' (Dense)", "comes after 'a'"});
  expect_error(load({kIn, keras3("InputLayer", "in2", R"("batch_shape": [null, 4])", {}), kA, kB}), {"'in2'", "second input"});
  expect_error(load({kIn, keras3("Dropout", "d", R"("rate": 0.5)", {"in"}, R"({"training": true})")}, R"(["d", 0, 0])"),
               {"'d' (Dropout)", "training = true"});
  expect_error(load({kA, kB}), {"no input"});
  expect_error(load({kIn, keras3("Dense", "a", R"("units": 3)", {"b"}), kB}),
               {"f.keras", "'a' (Dense)", "not reached from the input 'in'"});
  expect_error(load({}), {"no layers"});
}

/// Dense 'a', and a model 'trunk' with Dense 'a' and 'b'.
const std::string kNested = R"({"class_name": "Sequential", "config": {"name": "m", "layers": [
     {"module": "keras.layers", "class_name": "Dense", "config": {"name": "a", "units": 4, "batch_input_shape": [null, 6]}},
     {"module": "keras", "class_name": "Sequential", "config": {"name": "trunk", "layers": [
       {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 4], "name": "in"}},
       {"module": "keras.layers", "class_name": "Dense", "config": {"name": "a", "units": 5}},
       {"module": "keras.layers", "class_name": "Dense", "config": {"name": "b", "units": 5, "use_bias": false}}]}}]},
     "build_config": {"input_shape": [null, 6]}})";

TEST(Functional, ModelsWithinGiveTheirLayers) {
  const StoredModel stored = read_model_config("f", kNested);
  ASSERT_EQ(stored.model.layers().size(), 3U);
  EXPECT_EQ(layer_name(stored.model.layers()[1]), "trunk_a");  // names stay unique
  ASSERT_EQ(stored.layers.size(), 2U);
  EXPECT_EQ(stored.layers[1].layers.size(), 2U);
  EXPECT_EQ(stored.model.output_width(), 5);
}

TEST(Functional, AFileOfWeightsHasTheModelsOfItsModelOrTheirLayersAlone) {
  const TempDir dir;
  StoredModel stored = read_model_config("f", kNested);
  Sequential& model = stored.model;
  const std::vector<std::vector<float>> weights = model.get_weights();
  save_weights(model, dir / "ours.weights.h5");
  save_weights(model, dir / "ours.h5");
  {
    const std::vector<WeightView> views = model.weights();
    Hdf5File keras3 = Hdf5File::create(dir / "keras.weights.h5"), keras2 = Hdf5File::create(dir / "keras.h5");
    for (const char* group : {"/layers/dense/vars", "/layers/sequential/layers/dense/vars", "/layers/sequential/layers/dense_1/vars"})
      keras3.create_group(group);
    write_strings_attribute(keras2, "/", "layer_names", {"a", "trunk"});
    write_weight(keras3, "/layers/dense/vars/0", views[0]);
    write_weight(keras3, "/layers/dense/vars/1", views[1]);
    write_weight(keras3, "/layers/sequential/layers/dense/vars/0", views[2]);
    write_weight(keras3, "/layers/sequential/layers/dense/vars/1", views[3]);
    write_weight(keras3, "/layers/sequential/layers/dense_1/vars/0", views[4]);
    for (const auto& [group, first, last] : {std::tuple("/a", 0, 2), std::tuple("/trunk", 2, 5)}) {
      keras2.create_group(group);
      std::vector<std::string> names;
      for (int i = first; i < last; ++i) {
        names.push_back("w" + std::to_string(i));
        write_weight(keras2, group + ("/" + names.back()), views[static_cast<std::size_t>(i)]);
      }
      write_strings_attribute(keras2, group, "weight_names", names);
    }
  }
  for (const char* name : {"ours.weights.h5", "ours.h5", "keras.weights.h5", "keras.h5"}) {
    for (const WeightView& weight : model.weights()) std::fill(weight.values.begin(), weight.values.end(), 0.F);
    load_initial_weights(model, dir / name, stored.layers);
    EXPECT_EQ(model.get_weights(), weights) << name;
  }
  expect_error([&] { load_initial_weights(model, dir / "keras.weights.h5"); }, {"keras.weights.h5", "trunk_a"});
}

StoredModel sequential_of(const std::string& entries) {
  return read_model_config("f", R"({"class_name": "Sequential", "config": {"name": "m", "layers": [)" + entries + "]}}");
}

TEST(Functional, ArgumentsOfKeras2AreRead) {
  EXPECT_EQ(sequential_of(R"({"module": "tf_keras.src.layers", "class_name": "Flatten", "config": {"name": "f"}})").layers.size(), 1U);
  const StoredModel stored = sequential_of(R"(
     {"class_name": "LeakyReLU", "config": {"name": "l", "alpha": 0.25}},
     {"class_name": "Embedding", "config": {"name": "e", "input_dim": 3, "output_dim": 2, "input_length": 4}},
     {"class_name": "SeparableConv2D", "config": {"name": "s", "filters": 2, "kernel_size": [2, 2], "groups": 1,
      "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}}}})");
  EXPECT_EQ(std::get<LeakyReLU>(stored.model.layers()[0]).negative_slope, 0.25F);
  EXPECT_EQ(stored.model.layers().size(), 3U);
  expect_error([] { sequential_of(R"({"class_name": "DepthwiseConv2D", "config": {"name": "d", "kernel_size": 2, "groups": 2}})"); },
               {"'d' (DepthwiseConv2D)", "'groups'", "found 2"});
}

TEST(Functional, AnActivationThatIsALayerComesAfterItsLayer) {
  const std::string dense = R"({"class_name": "Dense", "config": {"name": "d", "units": 2, "activation": )";
  const StoredModel stored =
      sequential_of(dense + R"({"module": "keras.layers", "class_name": "LeakyReLU", "config": {"name": "l", "negative_slope": 0.25}}}})");
  ASSERT_EQ(stored.model.layers().size(), 2U);
  EXPECT_EQ(std::get<Dense>(stored.model.layers()[0]).activation, linear);
  EXPECT_EQ(std::get<LeakyReLU>(stored.model.layers()[1]).negative_slope, 0.25F);
  EXPECT_EQ(stored.layers.size(), 1U) << "the file has one layer";
  expect_error([&] { sequential_of(dense + R"({"class_name": "PReLU", "config": {"name": "p"}}}})"); },
               {"'d' (Dense)", "activation", "PReLU"});
  expect_error([&] { sequential_of(dense + R"({"class_name": "ReLU", "config": {}}, "activity_regularizer": "l2"}})"); },
               {"'d' (Dense)", "activity_regularizer", "ReLU"});
}

TEST(Functional, AnErrorOfALayerThatIsAnActivationNamesItsOwner) {
  const auto with = [](const std::string& activation) {
    return R"({"class_name": "Dense", "config": {"name": "d", "batch_input_shape": [null, 4], "units": 2, "activation": )" + activation +
           "}}";
  };
  expect_error([&] { sequential_of(with(R"({"class_name": "ReLU", "config": {"name": "r", "max_value": "six"}})")); },
               {"layer 'd' (Dense), its activation: layer 'r' (ReLU)", "max_value"});
  expect_error([&] { sequential_of(with(R"({"class_name": "ReLU", "config": {"name": "r", "max_value": -1.0}})")); },
               {"layer 'd' (Dense), its activation: layer 'r' (ReLU)", "at least 0, found -1"});
  expect_error([&] { sequential_of(with(R"({"class_name": "Softmax", "config": {"name": "s", "axis": 7}})")); },
               {"layer 'd' (Dense), its activation: layer 's' (Softmax)", "axis (7,)"});
}

TEST(Functional, TheNoteOnTwoPoliciesIsTrueOfAnyPrecision) {
  const StoredModel stored = sequential_of(R"({"class_name": "Dense", "config": {"name": "a", "units": 2, "dtype": "mixed_bfloat16"}},
     {"class_name": "Dense", "config": {"name": "b", "units": 2, "dtype": "float32"}})");
  ASSERT_EQ(stored.notes.size(), 1U);
  EXPECT_EQ(stored.notes[0].find("all in float32"), std::string::npos) << stored.notes[0];
  EXPECT_NE(stored.notes[0].find("unless training.mixed_precision says otherwise"), std::string::npos) << stored.notes[0];
}

TEST(Functional, LayersOfBothPoliciesAreComputedInFloat32) {
  const StoredModel stored = sequential_of(R"({"class_name": "Dense", "config": {"name": "a", "units": 2, "dtype": "mixed_bfloat16"}},
     {"class_name": "Dense", "config": {"name": "b", "units": 2, "dtype": "float32"}})");
  EXPECT_EQ(stored.model.dtype_policy(), DtypePolicy::float32);
  ASSERT_EQ(stored.notes.size(), 1U);
  EXPECT_NE(stored.notes[0].find("1 of 2 layers"), std::string::npos) << stored.notes[0];
}

TEST(Functional, ClassesOfTheAuthorAreNotTaken) {
  const auto load = [](const std::string& entry) {
    return [=] { read_model_config("f", R"({"class_name": "Sequential", "config": {"name": "m", "layers": [)" + entry + "]}}"); };
  };
  expect_error(load(R"({"module": "my.code", "class_name": "Dense", "config": {"name": "d", "units": 2}})"),
               {"'d'", "custom class", "Dense"});
  expect_error(load(R"({"module": "keras.layers", "class_name": "Dense", "registered_name": "my>Dense", "config": {"name": "d"}})"),
               {"'d'", "custom class"});
  expect_error([] { read_model_config("f", R"({"module": "my", "class_name": "Net", "config": {"name": "n"}})"); },
               {"custom class", "Net"});
}

}  // namespace
}  // namespace lockstep
