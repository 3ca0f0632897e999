// Lockstep's half of tests/e2e/keras/keras_interop.sh; by itself it does nothing, since the files come from Keras.
#include <gtest/gtest.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>

#include "io/hdf5/dataset.h"
#include "io/hdf5/file.h"
#include "io/keras/keras_file.h"

namespace lockstep {
namespace {

void write_predictions(Hdf5File& file, const std::string& name, Sequential& model, const Hdf5Dataset& data) {
  file.write<float>(name, {data.rows(), 3}, model.predict(data));
}

void write_weights(Hdf5File& file, const std::string& name, Sequential& model) {
  std::vector<float> all;
  for (const std::vector<float>& values : model.get_weights()) all.insert(all.end(), values.begin(), values.end());
  file.write<float>(name, {static_cast<std::int64_t>(all.size())}, all);
}

TEST(KerasInterop, LoadsPredictsTrainsOnAndSavesAgain) {
  const char* given = std::getenv("LOCKSTEP_INTEROP_DIR");
  if (given == nullptr) GTEST_SKIP() << "run by tests/e2e/keras/keras_interop.sh";
  const std::string directory = given;
  const Hdf5Dataset data(directory + "/data.h5", "test");
  Hdf5File results = Hdf5File::create(directory + "/lockstep.h5");
  for (const std::string name : {"sgd", "momentum", "adam", "adamw", "lion", "rmsprop"}) {
    SCOPED_TRACE(name);
    Sequential model = load_model(directory + "/keras_" + name + ".keras");
    EXPECT_EQ(model.optimizer()->iterations(), 3);
    Sequential same = load_model(directory + "/keras_" + name + ".keras");
    EXPECT_TRUE(load_weights(same, directory + "/keras_" + name + ".weights.h5"));
    EXPECT_EQ(same.get_weights(), model.get_weights());
    write_predictions(results, "/" + name + "/before", model, data);
    save_model(model, directory + "/lockstep_" + name + ".keras");
    save_weights(model, directory + "/lockstep_" + name + ".weights.h5");
    model.fit(data, {.epochs = 1, .batch_size = 16, .shuffle = false, .verbose = 0});
    write_predictions(results, "/" + name + "/after", model, data);
  }
  results.close();
}

/// Every file NAME_trained.keras and NAME.keras, the same model before; tests/interop/keras_optimizers.py decides which.
TEST(KerasOptimizers, StepAndGoOn) {
  const char* given = std::getenv("LOCKSTEP_OPTIMIZERS_DIR");
  if (given == nullptr) GTEST_SKIP() << "run by tests/e2e/keras/keras_interop.sh";
  const std::filesystem::path directory = given;
  const std::string trained = "_trained";
  const Hdf5Dataset data(directory / "data.h5", "test");
  Hdf5File results = Hdf5File::create(directory / "lockstep.h5");
  const auto six_steps = [&](Sequential& model) { model.fit(data, {.epochs = 1, .batch_size = 16, .shuffle = false, .verbose = 0}); };
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    std::string name = entry.path().stem();
    if (entry.path().extension() != ".keras" || !name.ends_with(trained)) continue;
    name.erase(name.size() - trained.size());
    SCOPED_TRACE(name);
    Sequential model = load_model(directory / (name + ".keras")), resumed = load_model(entry.path());
    six_steps(model);
    write_weights(results, "/" + name + "/six", model);
    save_model(model, directory / (name + "_lockstep.keras"));
    six_steps(model);
    write_weights(results, "/" + name + "/twelve", model);
    EXPECT_EQ(resumed.optimizer()->iterations(), 6);
    six_steps(resumed);
    write_weights(results, "/" + name + "/resumed", resumed);
  }
  results.close();
}

/// Every .keras file there is, tests/interop/keras_layers.py decides which. A model that is not compiled is not trained.
TEST(KerasLayers, PredictAndTrain) {
  const char* given = std::getenv("LOCKSTEP_LAYERS_DIR");
  if (given == nullptr) GTEST_SKIP() << "run by tests/e2e/keras/keras_interop.sh";
  const std::filesystem::path directory = given;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    if (entry.path().extension() == ".keras") names.push_back(entry.path().stem());
  }
  Hdf5File results = Hdf5File::create(directory / "lockstep.h5");
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const std::string file = directory / (name + ".keras");
    const Hdf5Dataset data(directory / (name + ".h5"), "test");
    Sequential model = load_model(file);
    write_predictions(results, "/" + name + "/predicted", model, data);
    if (model.compiled()) {
      Sequential one_step = load_model(file);
      one_step.fit(Hdf5Dataset(directory / (name + ".h5"), "test", {.rows = {0, 8}}), {.batch_size = 8, .shuffle = false, .verbose = 0});
      write_weights(results, "/" + name + "/one step", one_step);
      model.fit(data, {.batch_size = 8, .shuffle = false, .verbose = 0});
      write_weights(results, "/" + name + "/three steps", model);
      write_predictions(results, "/" + name + "/predicted then", model, data);
    }
    save_model(model, directory / (name + "_lockstep.keras"));
  }
  results.close();
}

/// Every .keras file there is, tests/interop/keras_scores.py decides which.
TEST(KerasScores, EvaluateAndStep) {
  const char* given = std::getenv("LOCKSTEP_SCORES_DIR");
  if (given == nullptr) GTEST_SKIP() << "run by tests/e2e/keras/keras_interop.sh";
  const std::filesystem::path directory = given;
  std::vector<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(directory)) {
    const std::string name = entry.path().stem();
    if (entry.path().extension() == ".keras" && !name.ends_with("_lockstep")) names.push_back(name);
  }
  Hdf5File results = Hdf5File::create(directory / "lockstep.h5");
  for (const std::string& name : names) {
    SCOPED_TRACE(name);
    const Hdf5Dataset data(directory / (name + ".h5"), "test");
    Sequential model = load_model(directory / (name + ".keras"));
    save_model(model, directory / (name + "_lockstep.keras"));
    std::vector<float> scores;
    std::ofstream keys(directory / (name + ".names"));
    for (const auto& [key, value] : model.evaluate(data).values) {
      scores.push_back(static_cast<float>(value));
      keys << key << "\n";
    }
    results.write<float>("/" + name + "/scores", {static_cast<std::int64_t>(scores.size())}, scores);
    model.fit(data, {.batch_size = data.rows(), .shuffle = false, .verbose = 0});
    write_weights(results, "/" + name + "/weights", model);
  }
  results.close();
}

}  // namespace
}  // namespace lockstep
