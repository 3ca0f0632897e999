#include "io/keras/legacy_file.h"

#include <gtest/gtest.h>
#include <hdf5.h>

#include <array>

#include "cluster/json.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/file.h"
#include "io/keras/keras_file.h"
#include "io/keras/legacy_weights.h"
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

/// A list as numpy's fixed-length strings, as h5py 2 and Keras' chunks have it.
void write_fixed_strings(Hdf5File& file, const std::string& object, const std::string& name, const std::vector<std::string>& values) {
  std::size_t width = 1;
  for (const std::string& value : values) width = std::max(width, value.size());
  std::string bytes;
  for (std::string value : values) {
    value.resize(width, '\0');
    bytes += value;
  }
  const hid_t type = H5Tcopy(H5T_C_S1), owner = H5Oopen(file.id(), object.c_str(), H5P_DEFAULT);
  H5Tset_size(type, width);
  H5Tset_strpad(type, H5T_STR_NULLPAD);
  const hsize_t count = values.size();
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(owner, name.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT);
  EXPECT_GE(H5Awrite(attribute, type, bytes.data()), 0);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Oclose(owner);
  H5Tclose(type);
}

/// As h5py writes an empty list.
void write_no_floats(Hdf5File& file, const std::string& object, const std::string& name) {
  const hid_t owner = H5Oopen(file.id(), object.c_str(), H5P_DEFAULT);
  const hsize_t count = 0;
  const hid_t space = H5Screate_simple(1, &count, nullptr);
  const hid_t attribute = H5Acreate2(owner, name.c_str(), H5T_IEEE_F64LE, space, H5P_DEFAULT, H5P_DEFAULT);
  H5Aclose(attribute);
  H5Sclose(space);
  H5Oclose(owner);
}

constexpr const char* kKeras2Model = R"({"class_name": "Sequential", "config": {"name": "old", "layers": [
  {"class_name": "Flatten", "config": {"name": "flatten", "trainable": true, "batch_input_shape": [null, 2, 1], "dtype": "float32",
   "data_format": "channels_last"}},
  {"class_name": "Dense", "config": {"name": "dense", "trainable": true, "dtype": "float32", "units": 1, "activation": "linear",
   "use_bias": true, "kernel_initializer": {"class_name": "GlorotUniform", "config": {"seed": null}},
   "bias_initializer": {"class_name": "Zeros", "config": {}}, "kernel_regularizer": null, "bias_regularizer": null,
   "activity_regularizer": null, "kernel_constraint": null, "bias_constraint": null}}]}})";
constexpr const char* kKeras2Training = R"({"loss": "mse", "metrics": [[{"class_name": "MeanMetricWrapper", "config": {"name": "error",
  "dtype": "float32", "fn": "mean_absolute_error"}}]], "weighted_metrics": null, "loss_weights": null,
  "optimizer_config": {"class_name": "Custom>SGD", "config": {"name": "SGD", "learning_rate": 0.125, "momentum": 0.5, "nesterov": false,
   "is_legacy_optimizer": false, "jit_compile": true}}})";

/// What TF 2.15 writes: names end in ":0", the optimizer has no learning rate.
void write_keras2_file(const std::string& path, bool training = true) {
  Hdf5File file = Hdf5File::create(path);
  write_string_attribute(file, "/", "model_config", kKeras2Model);
  file.create_group("/model_weights/flatten");
  write_no_floats(file, "/model_weights/flatten", "weight_names");
  file.write<float>("/model_weights/dense/dense/kernel:0", {2, 1}, std::array{1.5F, -2.0F});
  file.write<float>("/model_weights/dense/dense/bias:0", {1}, std::array{0.25F});
  write_fixed_strings(file, "/model_weights/dense", "weight_names", {"dense/kernel:0", "dense/bias:0"});
  write_fixed_strings(file, "/model_weights", "layer_names0", {"flatten"});  // as of lists beyond 64 KB
  write_fixed_strings(file, "/model_weights", "layer_names1", {"dense"});
  if (!training) return file.close();
  write_string_attribute(file, "/", "training_config", kKeras2Training);
  file.write<std::int64_t>("/optimizer_weights/iteration:0", {}, std::array{std::int64_t{7}});
  file.write<float>("/optimizer_weights/SGD/m/dense/kernel:0", {2, 1}, std::array{0.5F, 0.75F});
  file.write<float>("/optimizer_weights/SGD/m/dense/bias:0", {1}, std::array{-1.0F});
  write_fixed_strings(file, "/optimizer_weights", "weight_names", {"iteration:0", "SGD/m/dense/kernel:0", "SGD/m/dense/bias:0"});
  file.close();
}

TEST(LegacyFile, AModelComesBack) {
  TempDir dir;
  Sequential model = trained_model(Adam{.learning_rate = 0.01F});
  save_model(model, dir / "m.h5");
  Sequential loaded = load_model(dir / "m.h5");
  EXPECT_EQ(loaded.get_weights(), model.get_weights());
  EXPECT_EQ(loaded.predict(small_data(7)), model.predict(small_data(7)));
  EXPECT_EQ(std::get<Adam>(loaded.compile_options().optimizer).learning_rate.number, 0.01F);
  ASSERT_EQ(loaded.compile_options().metrics.size(), 2U);
  EXPECT_EQ(loaded.compile_options().metrics[1].name, "top2");
  EXPECT_EQ(loaded.optimizer()->iterations(), 0);
}

TEST(LegacyFile, IsWrittenAsKerasWantsIt) {
  TempDir dir;
  Sequential model = trained_model(Adam{});
  save_model(model, dir / "m.h5");
  const Hdf5File file = Hdf5File::open(dir / "m.h5");
  EXPECT_FALSE(file.exists("/optimizer_weights")) << "Keras 3 cannot train on after reading it";
  EXPECT_EQ(read_strings_attribute(file, "/model_weights", "layer_names"),
            (std::vector<std::string>{"rescaling", "flatten", "normalization", "dense", "dropout", "output", "activation"}));
  EXPECT_EQ(read_strings_attribute(file, "/model_weights/flatten", "weight_names"), std::vector<std::string>{});
  const std::vector<std::string> names = read_strings_attribute(file, "/model_weights/dense", "weight_names");
  ASSERT_EQ(names, (std::vector<std::string>{"sequential/dense/kernel", "sequential/dense/bias"}));
  EXPECT_EQ(file.info("/model_weights/dense/" + names[0]).shape, (std::vector<std::int64_t>{6, 4}));
  const Json config = Json::parse(read_string_attribute(file, "/", "model_config"));
  EXPECT_FALSE(config["config"]["layers"][4].contains("module"));
  const Json training = Json::parse(read_string_attribute(file, "/", "training_config"));
  EXPECT_EQ(training["optimizer_config"]["class_name"], "Adam");
  EXPECT_TRUE(training.contains("loss_weights"));
  Sequential axes{Input{{2, 3}}, Normalization{.axis = {}}};
  axes.build({2, 3});
  expect_error([&] { save_model(axes, dir / "a.h5"); }, {"'normalization' (Normalization)", "axis", ".keras"});
}

TEST(LegacyFile, ReadsWhatKeras2Writes) {
  TempDir dir;
  write_keras2_file(dir / "old.h5");
  Sequential model = load_model(dir / "old.h5");
  EXPECT_EQ(model.get_weights(), (std::vector<std::vector<float>>{{1.5F, -2.0F}, {0.25F}}));
  EXPECT_EQ(model.predict(ArrayDataset({2, 1}, {2, 3}, {0})), std::vector<float>{2 * 1.5F - 3 * 2.0F + 0.25F});
  EXPECT_EQ(model.compile_options().metrics[0].name, "error");
  EXPECT_TRUE(std::holds_alternative<MeanAbsoluteErrorMetric>(model.compile_options().metrics[0].kind));
  EXPECT_EQ(model.optimizer()->iterations(), 7);
  EXPECT_EQ(model.optimizer()->learning_rate(), 0.125F);
  EXPECT_EQ(model.optimizer_view(0, 0)[1], 0.75F);
  EXPECT_EQ(model.optimizer_view(0, 1)[0], -1.0F);
  write_keras2_file(dir / "plain.keras", false);  // TF 2.12 writes HDF5 under this name, too
  EXPECT_FALSE(load_model(dir / "plain.keras").compiled());
}

TEST(LegacyFile, ReadsAdamsStateAsKerasBefore211KeepsIt) {
  TempDir dir;
  std::string training = kKeras2Training;
  const std::size_t at = training.find("{\"class_name\": \"Custom>SGD\"");
  training.replace(at, training.size() - at, R"({"class_name": "Adam", "config": {"name": "Adam", "learning_rate": 0.5, "decay": 0.0,
    "beta_1": 0.9, "beta_2": 0.999, "epsilon": 1e-07, "amsgrad": false}}})");
  {
    Hdf5File file = Hdf5File::create(dir / "old.h5");
    write_string_attribute(file, "/", "model_config", kKeras2Model);
    write_string_attribute(file, "/", "training_config", training);
    file.write<float>("/model_weights/dense/dense/kernel:0", {2, 1}, std::array{1.5F, -2.0F});
    file.write<float>("/model_weights/dense/dense/bias:0", {1}, std::array{0.25F});
    write_strings_attribute(file, "/model_weights/dense", "weight_names", {"dense/kernel:0", "dense/bias:0"});
    write_strings_attribute(file, "/model_weights", "layer_names", {"dense"});
    file.write<std::int64_t>("/optimizer_weights/training/Adam/iter:0", {}, std::array{std::int64_t{3}});
    std::vector<std::string> names{"training/Adam/iter:0"};
    float value = 0;
    for (const char* slot : {"m", "v"}) {
      names.push_back(std::string("training/Adam/dense/kernel/") + slot + ":0");
      file.write<float>("/optimizer_weights/" + names.back(), {2, 1}, std::array{value + 1, value + 2});
      names.push_back(std::string("training/Adam/dense/bias/") + slot + ":0");
      file.write<float>("/optimizer_weights/" + names.back(), {1}, std::array{value + 3});
      value += 10;
    }
    write_strings_attribute(file, "/optimizer_weights", "weight_names", names);
    file.close();
  }
  Sequential model = load_model(dir / "old.h5");
  EXPECT_EQ(model.optimizer()->iterations(), 3);
  EXPECT_EQ(model.optimizer_view(0, 0)[1], 2);   // m of the kernel
  EXPECT_EQ(model.optimizer_view(0, 1)[0], 3);   // m of the bias
  EXPECT_EQ(model.optimizer_view(1, 0)[0], 11);  // v of the kernel
  EXPECT_EQ(model.optimizer_view(1, 1)[0], 13);  // v of the bias
}

TEST(LegacyFile, WeightsAloneComeBack) {
  TempDir dir;
  Sequential model = trained_model(Sgd{}), other = small_model(Sgd{}), wide{Input{{2, 3}}, Flatten{}, Dense{4}, Dense{3}};
  save_weights(model, dir / "w.h5");
  EXPECT_FALSE(load_weights(other, dir / "w.h5"));
  EXPECT_EQ(other.get_weights(), model.get_weights());
  wide.build({2, 3});
  expect_error([&] { load_weights(wide, dir / "w.h5"); }, {"w.h5", "more than the 4 weights"});
  Sequential fewer{Input{{2, 3}}, Flatten{}, Normalization{}, Dense{4}, Dense{5}, Dense{3}};
  fewer.build({2, 3});
  expect_error([&] { load_weights(fewer, dir / "w.h5"); }, {"w.h5", "expected 4 layers with weights", "found 3"});
  expect_error([&] { load_model(dir / "w.h5"); }, {"w.h5", "only weights"});
  Sequential fresh = small_model(Sgd{});
  load_initial_weights(fresh, dir / "w.h5");
  EXPECT_EQ(fresh.get_weights(), model.get_weights());
}

TEST(LegacyFile, InitialWeightsComeFromAnyFileAndLeaveTheOptimizer) {
  TempDir dir;
  Sequential model = trained_model(Adam{});
  save_model(model, dir / "m.keras");
  save_model(model, dir / "m.h5");
  save_weights(model, dir / "m.weights.h5");
  for (const char* name : {"m.keras", "m.h5", "m.weights.h5"}) {
    Sequential fresh = small_model(Adam{});
    load_initial_weights(fresh, dir / name);
    EXPECT_EQ(fresh.get_weights(), model.get_weights()) << name;
    EXPECT_EQ(fresh.optimizer()->iterations(), 0) << name;
  }
  Sequential wide{Input{{2, 3}}, Flatten{}, Normalization{}, Dense{5}, Dense{.units = 3, .use_bias = false}};
  wide.build({2, 3});
  expect_error([&] { load_initial_weights(wide, dir / "m.keras"); }, {"m.keras", "dense/kernel", "(6, 5)", "(6, 4)"});
}

TEST(LegacyFile, DamageIsAnErrorThatNamesTheFile) {
  TempDir dir;
  write_keras2_file(dir / "old.h5");
  const std::string bytes = read_file(dir / "old.h5");
  for (std::size_t size = bytes.size() - 1; size > 10; size -= std::min(size - 10, bytes.size() / 29 + 1)) {
    testing::write_file(dir / "d.h5", bytes.substr(0, size));
    expect_error([&] { load_model(dir / "d.h5"); }, {"d.h5"});
  }
  {
    Hdf5File file = Hdf5File::create(dir / "names.h5");
    write_string_attribute(file, "/", "model_config", kKeras2Model);
    file.create_group("/model_weights");
    write_strings_attribute(file, "/model_weights", "layer_names", {"dense"});
    file.close();
  }
  expect_error([&] { load_model(dir / "names.h5"); }, {"names.h5", "/model_weights/dense", "layer_names"});
}

}  // namespace
}  // namespace lockstep
