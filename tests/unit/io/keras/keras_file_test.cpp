#include "io/keras/keras_file.h"

#include <gtest/gtest.h>
#include <zip.h>

#include <array>
#include <filesystem>
#include <fstream>

#include "cluster/json.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/file.h"
#include "io/keras/config.h"
#include "io/keras/config_reader.h"
#include "support/small_model.h"
#include "support/temp_dir.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;
using testing::small_data;
using testing::small_model;
using testing::TempDir;
using testing::trained_model;
using testing::write_file;

const std::vector<OptimizerSpec> kOptimizers{
    Sgd{.learning_rate = 0.125F},
    Sgd{.momentum = 0.9F, .nesterov = true, .options = {.weight_decay = 0.01F}},
    Adam{.learning_rate = 0.01F, .options = {.clipnorm = 1}},
    AdamW{.amsgrad = true},
    RMSprop{.momentum = 0.5F, .centered = true, .options = {.global_clipnorm = 2}},
    Lion{},
    Adadelta{},
    Adafactor{},
    Adagrad{},
    Adamax{},
    Ftrl{},
    Lamb{},
    Muon{.exclude_layers = {"dense_1"}, .rms_rate = {}},
    Nadam{},
    ScheduleFreeAdamW{.warmup_steps = 3},
    Sgd{.learning_rate = CosineDecay{.initial_learning_rate = 0.1F, .decay_steps = 7, .warmup_target = 0.2F}},
    Adam{.learning_rate = PiecewiseConstantDecay{.boundaries = {1, 2}, .values = {0.1F, 0.05F, 0.01F}},
         .options = {.use_ema = true, .ema_overwrite_frequency = 2, .gradient_accumulation_steps = 2}}};

void expect_same_optimizer(Sequential& a, Sequential& b) {
  EXPECT_EQ(a.optimizer()->iterations(), b.optimizer()->iterations());
  EXPECT_EQ(a.optimizer()->learning_rate(), b.optimizer()->learning_rate());
  ASSERT_EQ(a.optimizer()->slots().size(), b.optimizer()->slots().size());
  for (std::size_t slot = 0; slot < a.optimizer()->slots().size(); ++slot) {
    for (std::size_t v = 0; v < 3; ++v) {
      const auto left = a.optimizer_view(slot, v), right = b.optimizer_view(slot, v);
      EXPECT_EQ(std::vector<float>(left.begin(), left.end()), std::vector<float>(right.begin(), right.end())) << slot << " " << v;
    }
  }
}

std::vector<float> read(const Hdf5File& file, const std::string& name) {
  const ArrayInfo info = file.info(name);
  std::vector<float> values(static_cast<std::size_t>(info.rows() * info.row_elements()));
  file.read_rows<float>(name, 0, info.rows(), values);
  return values;
}

/// The weights of a model that is not compiled, and a state of zero iterations with slots full of 0.5 that calls its optimizer so ("": not
/// at all).
void write_with_optimizer(const std::string& path, Sequential& model, const std::string& name, const std::vector<Shape>& slots) {
  Hdf5File file = Hdf5File::create(path);
  write_weights(file, model);
  file.create_group("/optimizer/vars");
  if (!name.empty()) write_string_attribute(file, "/optimizer/vars", "name", name);
  file.write<std::int64_t>(kIterations, {}, std::array{std::int64_t{0}});
  file.write<float>(kLearningRate, {}, std::array{0.25F});
  for (std::size_t i = 0; i < slots.size(); ++i) {
    file.write<float>("/optimizer/vars/" + std::to_string(i + 2), slots[i],
                      std::vector<float>(static_cast<std::size_t>(elements(slots[i])), 0.5F));
  }
}

TEST(KerasFile, AModelComesBackAndTrainsOnTheSame) {
  TempDir dir;
  for (const OptimizerSpec& optimizer : kOptimizers) {
    Sequential model = trained_model(optimizer);
    save_model(model, dir / "m.keras");
    Sequential loaded = load_model(dir / "m.keras");
    EXPECT_EQ(loaded.get_weights(), model.get_weights());
    EXPECT_EQ(loaded.predict(small_data(7)), model.predict(small_data(7)));
    expect_same_optimizer(model, loaded);
    EXPECT_EQ(model_config(loaded), model_config(model));
    for (Sequential* one : {&model, &loaded}) one->fit(small_data(22), {.epochs = 1, .batch_size = 8, .verbose = 0});
    EXPECT_EQ(loaded.get_weights(), model.get_weights());
  }
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(dir.path()), {}), 1);  // nothing stays beside
}

TEST(KerasFile, WeightsLieWhereKerasLooksForThem) {
  TempDir dir;
  Sequential model = trained_model(Adam{});
  save_weights(model, dir / "m.weights.h5");
  const Hdf5File file = Hdf5File::open(dir / "m.weights.h5");
  EXPECT_EQ(file.groups(),
            (std::vector<std::string>{"/layers", "/layers/activation", "/layers/activation/vars", "/layers/dense", "/layers/dense/vars",
                                      "/layers/dense_1", "/layers/dense_1/vars", "/layers/dropout", "/layers/dropout/vars",
                                      "/layers/flatten", "/layers/flatten/vars", "/layers/normalization", "/layers/normalization/vars",
                                      "/layers/rescaling", "/layers/rescaling/vars", "/optimizer", "/optimizer/vars", "/vars"}));
  EXPECT_EQ(file.datasets(),
            (std::vector<std::string>{"/layers/dense/vars/0", "/layers/dense/vars/1", "/layers/dense_1/vars/0",
                                      "/layers/normalization/vars/0", "/layers/normalization/vars/1", "/layers/normalization/vars/2",
                                      "/optimizer/vars/0", "/optimizer/vars/1", "/optimizer/vars/2", "/optimizer/vars/3",
                                      "/optimizer/vars/4", "/optimizer/vars/5", "/optimizer/vars/6", "/optimizer/vars/7"}));
  EXPECT_EQ(read_string_attribute(file, "/layers/dense_1/vars", "name"), "output");  // the group goes by class, the attribute by name
  const std::vector<std::vector<float>> weights = model.get_weights();               // mean, variance, count, kernel, bias, kernel
  EXPECT_EQ(file.info("/layers/dense/vars/0").shape, (std::vector<std::int64_t>{6, 4}));
  EXPECT_EQ(read(file, "/layers/dense/vars/0"), weights[3]);
  EXPECT_EQ(read(file, "/layers/dense/vars/1"), weights[4]);
  EXPECT_EQ(read(file, "/layers/dense_1/vars/0"), weights[5]);
  EXPECT_EQ(read(file, "/layers/normalization/vars/1"), weights[1]);
  EXPECT_TRUE(file.info("/layers/normalization/vars/2").shape.empty());
  EXPECT_EQ(file.info("/layers/normalization/vars/2").type, ElementType::i32);
  EXPECT_TRUE(file.info("/optimizer/vars/0").shape.empty());
  EXPECT_EQ(file.info("/optimizer/vars/0").type, ElementType::i64);
  EXPECT_EQ(file.read_scalar("/optimizer/vars/0"), 6);
  EXPECT_EQ(file.read_scalar("/optimizer/vars/1"), static_cast<double>(0.001F));
  for (std::size_t v = 0; v < 3; ++v) {  // m0, v0, m1, v1, m2, v2
    for (std::size_t slot = 0; slot < 2; ++slot) {
      const auto values = model.optimizer_view(slot, v);
      EXPECT_EQ(read(file, "/optimizer/vars/" + std::to_string(2 + 2 * v + slot)), std::vector<float>(values.begin(), values.end()));
    }
  }
}

/// What is written of a layer, and what comes back and is written again.
Json layer_config_of(const LayerSpec& layer, const Shape& input) {
  Sequential model{Input{input}, layer};
  model.build(input);
  const std::string text = model_config(model);
  Sequential back = model_from_config("m.keras", text);
  EXPECT_EQ(model_config(back), text);
  return Json::parse(text)["config"]["layers"][1]["config"];
}

TEST(KerasFile, InitializersAndConstraintsAreWrittenAsKerasDoes) {
  const Json dense = layer_config_of(
      Dense{.units = 3,
            .kernel_initializer = VarianceScaling{.scale = 2, .mode = FanMode::fan_out, .distribution = Distribution::uniform, .seed = 4},
            .bias_initializer = Constant{.value = 0.1F},
            .kernel_constraint = MinMaxNorm{.rate = 0.5F, .axis = {0, 1}},
            .bias_constraint = NonNeg{}},
      {4});
  EXPECT_EQ(dense["kernel_initializer"], Json::parse(R"({"module": "keras.initializers", "class_name": "VarianceScaling",
    "config": {"seed": 4, "scale": 2.0, "mode": "fan_out", "distribution": "uniform"}, "registered_name": null})"));
  EXPECT_EQ(dense["bias_initializer"]["config"].dump(), R"({"value":0.1})");
  EXPECT_EQ(dense["kernel_constraint"], Json::parse(R"({"module": "keras.constraints", "class_name": "MinMaxNorm",
    "config": {"min_value": 0.0, "max_value": 1.0, "rate": 0.5, "axis": [0, 1]}, "registered_name": null})"));
  EXPECT_EQ(dense["bias_constraint"]["class_name"], "NonNeg");
  const Json other = layer_config_of(Dense{.units = 3, .kernel_initializer = Orthogonal{}, .kernel_constraint = MaxNorm{}}, {4});
  EXPECT_EQ(other["kernel_initializer"]["config"].dump(), R"({"seed":null,"gain":1.0})");
  EXPECT_EQ(other["kernel_constraint"]["config"].dump(), R"({"max_value":2.0,"axis":0})");
  EXPECT_TRUE(other["bias_constraint"].is_null());
  EXPECT_EQ(other["bias_initializer"]["config"], Json::object());
}

TEST(KerasFile, NumbersOfANormalizationAreListsOfAnyDepth) {
  const auto written = [](Normalization layer, const char* key = "mean") { return layer_config_of(layer, {2, 3})[key].dump(); };
  EXPECT_EQ(written({.mean = 0.5F, .variance = 2}), "0.5");
  EXPECT_EQ(written({.mean = {0.5F, 1, 2}, .variance = {1, 1, 1}}), "[0.5,1.0,2.0]");
  EXPECT_EQ(written({.axis = {1, 2}, .mean = {{2, 1}, {1, 2}}, .variance = {{2, 1}, {3, 4}}}, "variance"), "[[3.0],[4.0]]");
  EXPECT_EQ(written({.axis = {}}), "null");
  EXPECT_EQ(written({.axis = {}}, "axis"), "[]");
  const std::string text = R"({"module": "keras", "class_name": "Sequential", "config": {"name": "m", "layers": [
    {"class_name": "InputLayer", "config": {"batch_shape": [null, 2], "name": "in"}},
    {"class_name": "Normalization", "config": {"name": "n", "mean": [[1, 2], [3]], "variance": [[1, 2], [3, 4]]}}]}})";
  expect_error([&] { model_from_config("m", text); }, {"layer 'n'", "'mean'", "lists of numbers of equal length"});
}

TEST(KerasFile, ALayerThatIsNotTrainedStaysSo) {
  const TempDir dir;
  Sequential model{Input{{2}}, Dense{.units = 3, .trainable = false}, Flatten{.trainable = false}, Dense{1}};
  model.compile({.loss = MeanSquaredError{}, .optimizer = Adam{}});
  model.fit(ArrayDataset({2}, {1, 2, 3, 4}, {1, 2}), {.batch_size = 1, .verbose = 0});
  save_model(model, dir / "m.keras");
  save_weights(model, dir / "m.weights.h5");
  const Hdf5File weights = Hdf5File::open(dir / "m.weights.h5");
  EXPECT_TRUE(weights.exists("/optimizer/vars/5"));
  EXPECT_FALSE(weights.exists("/optimizer/vars/6"));  // iterations, rate, momentum and velocity of the last kernel and bias
  Sequential back = load_model(dir / "m.keras");
  EXPECT_FALSE(layer_trainable(back.get_layer("dense")));
  EXPECT_FALSE(layer_trainable(back.get_layer("flatten")));
  EXPECT_TRUE(layer_trainable(back.get_layer("dense_1")));
  EXPECT_EQ(back.get_weights(), model.get_weights());
  EXPECT_EQ(model_config(back), model_config(model));
}

TEST(KerasFile, TheArchiveIsStoredAndItsConfigIsKeras) {
  TempDir dir;
  Sequential model = trained_model(Adam{.learning_rate = 0.002F});
  save_model(model, dir / "m.keras");
  zip_t* archive = zip_open((dir / "m.keras").c_str(), ZIP_RDONLY, nullptr);
  ASSERT_NE(archive, nullptr);
  ASSERT_EQ(zip_get_num_entries(archive, 0), 3);
  const std::vector<std::string> names{"metadata.json", "config.json", "model.weights.h5"};
  for (std::size_t i = 0; i < 3; ++i) {
    zip_stat_t stat;
    ASSERT_EQ(zip_stat_index(archive, i, 0, &stat), 0);
    EXPECT_EQ(stat.name, names[i]);
    EXPECT_EQ(stat.comp_method, ZIP_CM_STORE);
  }
  zip_close(archive);
  const Json config = Json::parse(model_config(model));
  EXPECT_EQ(config["module"], "keras");
  EXPECT_EQ(config["build_config"]["input_shape"], Json::parse("[null, 2, 3]"));
  const Json& layers = config["config"]["layers"];
  ASSERT_EQ(layers.size(), 8U);
  EXPECT_EQ(layers[0]["class_name"], "InputLayer");
  EXPECT_EQ(layers[0]["config"]["batch_shape"], Json::parse("[null, 2, 3]"));
  EXPECT_EQ(layers[1]["config"]["offset"].dump(), "0.25");
  EXPECT_EQ(layers[3]["config"]["axis"], Json::parse("[-1]"));
  EXPECT_EQ(layers[4]["config"]["units"], 4);
  EXPECT_EQ(layers[4]["config"]["kernel_initializer"]["class_name"], "GlorotUniform");
  EXPECT_EQ(layers[4]["config"]["kernel_regularizer"]["config"]["l2"].dump(), "0.01");
  EXPECT_EQ(layers[5]["config"]["rate"].dump(), "0.2");
  EXPECT_EQ(layers[6]["config"]["name"], "output");
  const Json& compiled = config["compile_config"];
  EXPECT_EQ(compiled["optimizer"]["module"], "keras.optimizers");
  EXPECT_EQ(compiled["optimizer"]["config"]["learning_rate"].dump(), "0.002");
  EXPECT_EQ(compiled["metrics"][0], "accuracy");
  EXPECT_EQ(compiled["metrics"][1]["config"]["k"], 2);
}

/// As Keras 3.10 writes it: policies, newer keys that are off, activations by name, functions by envelope.
constexpr const char* kRecent = R"({"module": "keras", "class_name": "Sequential", "config": {"name": "recent", "trainable": true,
 "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null,
   "shared_object_id": 139}, "layers": [
 {"module": "keras.layers", "class_name": "InputLayer", "config": {"batch_shape": [null, 4], "dtype": "float32", "sparse": false,
   "ragged": false, "name": "in"}, "registered_name": null},
 {"module": "keras.layers", "class_name": "Dense", "config": {"name": "d", "trainable": true,
  "dtype": {"module": "keras", "class_name": "DTypePolicy", "config": {"name": "float32"}, "registered_name": null}, "units": 3,
   "activation": "swish", "use_bias": true,
  "kernel_initializer": {"module": "keras.initializers", "class_name": "HeNormal", "config": {"seed": null, "input_axes": null},
   "registered_name": null},
  "bias_initializer": "zeros", "kernel_regularizer": {"module": "keras.regularizers", "class_name": "L2", "config": {"l2": 0.5},
   "registered_name": null},
  "bias_regularizer": null, "kernel_constraint": null, "bias_constraint": null, "quantization_config": null}, "registered_name": null,
   "build_config": {"input_shape": [null, 4]}}],
  "build_input_shape": [null, 4]}, "registered_name": null, "build_config": {"input_shape": [null, 4]},
 "compile_config": {"optimizer": "rmsprop", "loss": {"module": "builtins", "class_name": "function", "config": "mean_squared_error",
   "registered_name": "function"},
  "loss_weights": null, "metrics": [["mae", {"module": "keras.metrics", "class_name": "RootMeanSquaredError",
   "config": {"name": "rmse", "dtype": null}, "registered_name": null}]],
  "weighted_metrics": null, "run_eagerly": false, "steps_per_execution": 1, "jit_compile": true}})";

std::string changed(std::string text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  return text.replace(at, from.size(), to);
}

TEST(KerasFile, ReadsTheFormsOfOtherVersions) {
  const Sequential recent = model_from_config("r", kRecent);
  EXPECT_EQ(recent.name(), "recent");
  EXPECT_EQ(recent.input_shape(), (Shape{4}));
  const Dense dense = std::get<Dense>(recent.get_layer("d"));
  EXPECT_EQ(dense.activation, silu);
  EXPECT_EQ(dense.kernel_initializer, Initializer::he_normal);
  EXPECT_EQ(dense.kernel_regularizer.l2, 0.5F);
  EXPECT_TRUE(std::holds_alternative<RMSprop>(recent.compile_options().optimizer));
  EXPECT_TRUE(std::holds_alternative<MeanSquaredError>(recent.compile_options().loss));
  ASSERT_EQ(recent.compile_options().metrics.size(), 2U);
  EXPECT_EQ(recent.compile_options().metrics[1].name, "rmse");
  const Sequential no_input = model_from_config("n", R"({"class_name": "Sequential", "config": {"name": "n", "layers": [
    {"class_name": "Flatten", "config": {"name": "f", "batch_input_shape": [null, 2, 2]}}]}, "compile_config": {}})");
  EXPECT_EQ(no_input.input_shape(), (Shape{2, 2}));
  EXPECT_FALSE(no_input.compiled());
}

TEST(KerasFile, WithAnOptimizerThatKerasLacksTheModelIsNotCompiled) {
  TempDir dir;
  Sequential model = trained_model(Lars{});
  save_model(model, dir / "m.keras");
  EXPECT_FALSE(load_model(dir / "m.keras").compiled());
  EXPECT_EQ(load_model(dir / "m.keras").get_weights(), model.get_weights());
  save_weights(model, dir / "m.weights.h5");
  Sequential same = trained_model(Lars{});
  EXPECT_TRUE(load_weights(same, dir / "m.weights.h5"));
  expect_same_optimizer(model, same);
}

TEST(KerasFile, NullTurnsASettingOff) {
  const auto muon = [](const std::string& config) {
    const CompileConfig read =
        read_model_config("r", changed(kRecent, "\"rmsprop\"", "{\"class_name\": \"Muon\", \"config\": {" + config + "}}")).compile;
    EXPECT_EQ(read.optimizer_flaw, "");
    return std::get<Muon>(read.options.optimizer);
  };
  EXPECT_EQ(muon("").adam_weight_decay, 0.004F);
  EXPECT_EQ(muon("").rms_rate, 0.2F);
  const Muon off = muon(R"("weight_decay": null, "adam_weight_decay": null, "rms_rate": null, "exclude_layers": ["a", "b"])");
  EXPECT_EQ(off.options.weight_decay, 0);
  EXPECT_EQ(off.adam_weight_decay, 0);
  EXPECT_EQ(off.rms_rate, std::nullopt);
  EXPECT_EQ(off.exclude_layers, (std::vector<std::string>{"a", "b"}));
}

TEST(KerasFile, ACompileConfigurationIsReadInItsParts) {
  const auto read = [](const std::string& from, const std::string& to) {
    return read_model_config("r", changed(kRecent, from, to)).compile;
  };
  const CompileConfig optimizer = read("\"rmsprop\"", "\"ftrls\"");
  EXPECT_NE(optimizer.optimizer_flaw.find("ftrls"), std::string::npos);
  EXPECT_EQ(optimizer.loss_flaw + optimizer.metrics_flaw, "");
  EXPECT_TRUE(std::holds_alternative<MeanSquaredError>(optimizer.options.loss));
  EXPECT_EQ(optimizer.options.metrics.size(), 2U);
  const CompileConfig metrics = read("\"mae\"", "\"nothing\"");
  EXPECT_NE(metrics.metrics_flaw.find("nothing"), std::string::npos);
  EXPECT_EQ(metrics.optimizer_flaw + metrics.loss_flaw, "");
  EXPECT_NE(read("\"loss_weights\": null", "\"loss_weights\": [2.0]").loss_flaw, "");
  const CompileConfig weighted = read("\"weighted_metrics\": null", R"("weighted_metrics": ["mae", {"module": "keras.metrics",
    "class_name": "MeanIoU", "config": {"num_classes": 3, "name": "iou", "dtype": "int", "axis": -1}}])");
  ASSERT_EQ(weighted.options.metrics.size(), 4U);
  EXPECT_TRUE(weighted.options.metrics[2].weighted);
  EXPECT_EQ(std::get<MeanIoU>(weighted.options.metrics[3].kind).num_classes, 3);
  const auto metric = [&](const std::string& name, const std::string& settings) {
    return read("\"mae\"", R"({"module": "keras.metrics", "class_name": ")" + name + R"(", "config": {)" + settings + "}}").metrics_flaw;
  };
  EXPECT_EQ(metric("R2Score", ""), "");
  EXPECT_NE(metric("R2Score", R"("class_aggregation": null)").find("class_aggregation"), std::string::npos);
  EXPECT_NE(metric("MeanIoU", R"("num_classes": 3, "dtype": "float32")").find("dtype"), std::string::npos);
  const std::string function = R"({"module": "builtins", "class_name": "function", "config": "mean_squared_error",
   "registered_name": "function"})";
  const CompileConfig named = read(function, R"({"d": ["mae"]})");  // by the names of outputs
  EXPECT_TRUE(std::holds_alternative<MeanAbsoluteError>(named.options.loss));
  EXPECT_EQ(named.flaw(), "");
  EXPECT_EQ(read(R"("metrics": [[)", R"("metrics": [["mse", )").options.metrics.size(), 3U);
  EXPECT_NE(read(function, R"({"a": "mae", "b": "mae"})").loss_flaw, "");
  EXPECT_FALSE(read_model_config("r", changed(kRecent, "\"rmsprop\"", "\"ftrls\"")).model.compiled());
}

TEST(KerasFile, WhatLockstepDoesNotHaveIsNamed) {
  const auto load = [](const std::string& text) { return [text] { model_from_config("m.keras: config.json", text); }; };
  expect_error(load(changed(kRecent, "\"class_name\": \"Dense\"", "\"class_name\": \"LSTM\"")), {"m.keras", "layer 'd'", "LSTM", "Dense"});
  expect_error(load(changed(kRecent, "\"quantization_config\": null", "\"lora_rank\": 4")), {"layer 'd'", "'lora_rank' = 4"});
  expect_error(load(changed(kRecent, "\"kernel_constraint\": null", "\"kernel_constraint\": \"norm\"")),
               {"layer 'd'", "kernel_constraint", "unknown constraint 'norm'"});
  expect_error(load(changed(kRecent, "HeNormal", "Magical")), {"layer 'd'", "kernel_initializer", "Magical"});
  expect_error(load(changed(kRecent, "swish", "magic")), {"layer 'd'", "activation", "magic"});
  expect_error(load(changed(kRecent, "\"units\": 3", "\"units\": \"3\"")), {"layer 'd'", "'units'", "whole number", "\"3\""});
  expect_error(load(changed(kRecent, "\"units\": 3", "\"units\": 0")), {"layer 'd'", "'units'"});
  expect_error(load(changed(kRecent, "[null, 4]", "[null, null]")), {"layer 'in'", "batch_shape", "[null,null]"});
  expect_error(load(changed(kRecent, "\"rmsprop\"", "\"nadams\"")), {"optimizer", "nadams", "adam"});
  expect_error(
      load(changed(kRecent, "\"rmsprop\"", R"({"class_name": "SGD", "config": {"learning_rate": {"class_name": "CosineDecay"}}})")),
      {"SGD", "learning_rate", "decay_steps", "above 0"});
  expect_error(load(changed(kRecent, "\"rmsprop\"", R"({"class_name": "SGD", "config": {"use_ema": 1}})")), {"SGD", "use_ema"});
  expect_error(load(changed(kRecent, "mean_squared_error", "circle")), {"loss", "circle"});
  expect_error(load(changed(kRecent, "\"mae\"", "\"aud\"")), {"metrics", "aud"});
  expect_error(load(changed(kRecent, "\"Sequential\"", "\"Bidirectional\"")), {"Sequential", "Functional", "Bidirectional"});
  expect_error(load("{\"class_name\": "), {"m.keras", "not the description"});
  expect_error(load("[]"), {"m.keras"});
}

TEST(KerasFile, InitialWeightsKeepTheOrderOfNames) {
  TempDir dir;
  Sequential model = trained_model(Sgd{});
  const auto columns = static_cast<std::size_t>(elements(model.input_shape()));
  std::vector<std::string> names;
  for (std::size_t i = 0; i < columns; ++i) names.push_back("c" + std::to_string(i));
  model.set_names({.feature_names = names});
  save_model(model, dir / "m.keras");
  std::vector<std::string> turned(names.rbegin(), names.rend());
  Sequential other = trained_model(Sgd{});
  other.set_names({.feature_names = turned, .origin = "d.h5"});
  expect_error([&] { load_initial_weights(other, dir / "m.keras"); },
               {"m.keras: its features are c0, c1", "but d.h5 has them in the order " + turned[0], "model: {keras: "});
  turned[0] = "another";  // other columns: what is learnt goes on with them
  other.set_names({.feature_names = turned, .origin = "d.h5"});
  load_initial_weights(other, dir / "m.keras");
  EXPECT_EQ(other.get_weights(), model.get_weights());
}

TEST(KerasFile, AnyDamageIsAnErrorAndNoneIsACrash) {
  TempDir dir;
  Sequential model = trained_model(Adam{});
  save_model(model, dir / "m.keras");
  const std::string bytes = read_file(dir / "m.keras");
  const auto expect_refused = [&](const std::string& damaged) {
    write_file(dir / "d.keras", damaged);
    expect_error([&] { load_model(dir / "d.keras"); }, {"d.keras"});
  };
  expect_refused("");
  expect_refused("not a zip");
  expect_error([&] { load_model(dir / "d.keras"); },
               {"d.keras: expected a .keras file (a zip archive) or an HDF5 file (.h5), found 9 bytes", "found 9 bytes"});
  for (std::size_t size = bytes.size() - 1; size > 10; size -= std::min(size - 10, bytes.size() / 29 + 1))
    expect_refused(bytes.substr(0, size));
  expect_error([&] { load_model(dir / "d.keras"); }, {"found one that is damaged or cut short"});
  std::string flipped = bytes;
  const std::size_t config = bytes.find("\"units\"");
  ASSERT_NE(config, std::string::npos);
  flipped[config + 1] = 'w';
  expect_refused(flipped);  // the checksum of the member
  expect_error([&] { save_model(model, dir / "m.weights.h5"); }, {"m.weights.h5", ".keras"});
  expect_error([&] { save_weights(model, dir / "m.keras"); }, {"m.keras", ".weights.h5"});
  expect_error([&] { save_model(model, dir / "no/m.keras"); }, {"no/m.keras", "No such file"});
  expect_error([&] { load_model(dir / "absent.keras"); }, {"absent.keras", "No such file"});
  write_file(dir / "empty.weights.h5", "");
  expect_error([&] { load_weights(model, dir / "empty.weights.h5"); }, {"empty.weights.h5"});
}

TEST(KerasFile, WeightsOfAnotherModelAreRefusedAndChangeNothing) {
  TempDir dir;
  Sequential model = trained_model(Adam{}), other{Input{{2, 3}}, Flatten{}, Dense{5}, Dense{3}},
             wide{Input{{2, 3}}, Rescaling{1}, Flatten{}, Normalization{}, Dense{5}, Dense{.units = 3, .use_bias = false}};
  const std::vector<std::vector<float>> before = model.get_weights();
  for (Sequential* one : {&other, &wide}) one->build({2, 3});
  save_weights(other, dir / "other.weights.h5");
  expect_error([&] { load_weights(model, dir / "other.weights.h5"); }, {"other.weights.h5", "'normalization'", "3 weights, found 0"});
  save_weights(wide, dir / "wide.weights.h5");
  expect_error([&] { load_weights(model, dir / "wide.weights.h5"); },
               {"wide.weights.h5", "/layers/dense/vars/0", "dense/kernel", "(6, 4)", "(6, 5)"});
  save_weights(model, dir / "m.weights.h5");
  expect_error([&] { load_weights(other, dir / "m.weights.h5"); }, {"m.weights.h5"});
  EXPECT_EQ(model.get_weights(), before);
}

TEST(KerasFile, Keras212CountsLayersInItsOwnWay) {
  TempDir dir;
  Sequential model{Input{{2}}, Dense{.units = 3, .use_bias = false}, Dense{.units = 1, .use_bias = false}};
  model.build({2});
  {
    Hdf5File file = Hdf5File::create(dir / "old.weights.h5");
    file.write<float>("/_layer_checkpoint_dependencies/dense/vars/0", {2, 3}, std::array{1.F, 2.F, 3.F, 4.F, 5.F, 6.F});
    file.write<float>("/_layer_checkpoint_dependencies/dense_2/vars/0", {3, 1}, std::array{7.F, 8.F, 9.F});
    file.write<float>("/metrics/mean/vars/0", {}, std::array{1.F});
    file.close();
  }
  EXPECT_FALSE(load_weights(model, dir / "old.weights.h5"));
  EXPECT_EQ(model.get_weights(), (std::vector<std::vector<float>>{{1, 2, 3, 4, 5, 6}, {7, 8, 9}}));
}

TEST(KerasFile, OptimizerStateIsTakenWhereItFits) {
  TempDir dir;
  Sequential model = trained_model(Adam{}), plain = small_model(Adam{}, false), adam = small_model(Adam{}), sgd = small_model(Sgd{}),
             fresh = small_model(Adam{});
  save_weights(model, dir / "m.weights.h5");
  EXPECT_FALSE(load_weights(plain, dir / "m.weights.h5"));
  EXPECT_EQ(plain.get_weights(), model.get_weights());
  EXPECT_FALSE(load_weights(sgd, dir / "m.weights.h5"));
  EXPECT_TRUE(load_weights(adam, dir / "m.weights.h5"));
  expect_same_optimizer(adam, model);
  save_weights(plain, dir / "p.weights.h5");
  EXPECT_FALSE(Hdf5File::open(dir / "p.weights.h5").exists("/optimizer"));
  EXPECT_FALSE(load_weights(adam, dir / "p.weights.h5"));
  write_with_optimizer(dir / "s.weights.h5", plain, "adam",
                       {});  // iteration and learning_rate only: what Keras writes of an Adam that never stepped
  EXPECT_TRUE(load_weights(fresh, dir / "s.weights.h5"));
  EXPECT_EQ(fresh.optimizer()->iterations(), 0);
}

TEST(KerasFile, OptimizerStateOfAnotherOptimizerWithAsManyArraysIsNotTaken) {
  TempDir dir;
  Sequential momentum = trained_model(Sgd{.momentum = 0.9F}), rmsprop = small_model(RMSprop{}), plain = small_model(Sgd{}, false);
  save_weights(momentum, dir / "m.weights.h5");
  const std::vector<std::vector<float>> before = rmsprop.get_weights();
  expect_error([&] { load_weights_and_optimizer(rmsprop, dir / "m.weights.h5"); },
               {"m.weights.h5", "'sgd'", "RMSprop", "training.optimizer"});
  EXPECT_EQ(rmsprop.get_weights(), before) << "an error leaves the model as it was";
  EXPECT_FALSE(load_weights(rmsprop, dir / "m.weights.h5"));
  EXPECT_EQ(rmsprop.optimizer()->iterations(), 0);
  EXPECT_EQ(rmsprop.optimizer_view(0, 0)[0], 0.0F);
  plain.set_weights(momentum.get_weights());
  for (const auto& [name, taken] :
       {std::pair("SGD", true), std::pair("my_optimizer", true), std::pair("", true), std::pair("adagrad", false)}) {  // Keras 3 says "SGD"
    Sequential sgd = small_model(Sgd{.momentum = 0.9F});
    write_with_optimizer(dir / "k.weights.h5", plain, name, {{6, 4}, {4}, {4, 3}});
    EXPECT_EQ(load_weights(sgd, dir / "k.weights.h5"), taken) << name;
    EXPECT_EQ(sgd.optimizer_view(0, 1)[0], taken ? 0.5F : 0.0F) << name;
  }
}

TEST(KerasFile, NamesOfClassesAndColumnsStayWithTheModel) {
  TempDir dir;
  std::vector<std::string> many;
  for (int i = 0; i < 100'000; ++i) many.push_back("feature \xC3\xA4, " + std::to_string(i));
  for (const std::string file : {"m.keras", "m.h5"}) {
    Sequential model = trained_model(Sgd{});
    model.set_names({.class_names = {"cat", "dog\n\"x\"", "fox"}, .feature_names = many, .target_names = {"kind"}});
    save_model(model, dir / file);
    const DataNames names = load_model(dir / file).names();
    EXPECT_EQ(names.class_names, model.names().class_names);
    EXPECT_EQ(names.feature_names, many);
    EXPECT_EQ(names.target_names, model.names().target_names);
    EXPECT_EQ(names.origin, dir / file);
  }
  Sequential nameless = trained_model(Sgd{});
  EXPECT_TRUE(model_from_config("config.json", model_config(nameless)).names().empty());
}

TEST(KerasFile, DamagedNamesAreAnErrorThatNamesTheFile) {
  Sequential model = trained_model(Sgd{});
  Json root = Json::parse(model_config(model));
  root["lockstep"] = {{"class_names", 7}};
  expect_error([&] { model_from_config("m.keras: config.json", root.dump()); }, {"m.keras", "names of classes and columns are damaged"});
}

TEST(KerasFile, AnAccuracyKeepsItsName) {
  const auto compiled = [](const LossSpec& loss, std::int64_t units) {
    Sequential model{Input{{4}}, Dense{.units = units}};
    model.compile({.loss = loss, .optimizer = Sgd{}, .metrics = {accuracy, {Accuracy{}, "right"}, {Accuracy{}, "acc"}}});
    return model_from_config("config.json", model_config(model)).compile_options().metrics;
  };
  const auto sparse = compiled(SparseCategoricalCrossentropy{}, 3);
  ASSERT_EQ(sparse.size(), 3U);
  EXPECT_TRUE(std::holds_alternative<Accuracy>(sparse[0].kind));
  EXPECT_EQ(sparse[1].name, "right");
  EXPECT_TRUE(std::holds_alternative<SparseCategoricalAccuracy>(sparse[1].kind));
  EXPECT_EQ(sparse[2].name, "acc");
  EXPECT_TRUE(std::holds_alternative<CategoricalAccuracy>(compiled(CategoricalCrossentropy{}, 3)[1].kind));
  EXPECT_EQ(std::get<BinaryAccuracy>(compiled(BinaryCrossentropy{}, 1)[1].kind).threshold, 0.5F);
  EXPECT_EQ(std::get<BinaryAccuracy>(compiled(BinaryCrossentropy{.from_logits = true}, 1)[1].kind).threshold, 0);
}

}  // namespace
}  // namespace lockstep
