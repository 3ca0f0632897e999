// Lockstep's half of tests/e2e/keras_interop.sh; by itself it does nothing, since the files come from Keras.
#include <gtest/gtest.h>

#include <cstdlib>

#include "io/hdf5/dataset.h"
#include "io/hdf5/file.h"
#include "io/keras/keras_file.h"

namespace lockstep {
namespace {

void write_predictions(Hdf5File& file, const std::string& name, Sequential& model, const Hdf5Dataset& data) {
  file.write<float>(name, {data.rows(), 3}, model.predict(data));
}

TEST(KerasInterop, LoadsPredictsTrainsOnAndSavesAgain) {
  const char* given = std::getenv("LOCKSTEP_INTEROP_DIR");
  if (given == nullptr) GTEST_SKIP() << "run by tests/e2e/keras_interop.sh";
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

}  // namespace
}  // namespace lockstep
