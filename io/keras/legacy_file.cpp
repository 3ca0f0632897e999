#include "io/keras/legacy_file.h"

#include "cluster/error.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/file.h"
#include "io/hdf5/image.h"
#include "io/keras/config.h"
#include "io/keras/config_reader.h"
#include "io/keras/legacy_weights.h"

namespace lockstep {
namespace {

constexpr const char* kModelConfig = "model_config";
constexpr const char* kTrainingConfig = "training_config";

}  // namespace

StoredModel read_legacy_model(const Hdf5File& file) {
  if (!has_attribute(file, "/", kModelConfig)) {
    throw Error(file.path() +
                    ": has no attribute model_config, so it holds only weights or is not a file of Keras. Save the whole model "
                    "(model.save), or give this file as initial_weights or to convert --model",
                kUsage);
  }
  const std::string training = has_attribute(file, "/", kTrainingConfig) ? read_string_attribute(file, "/", kTrainingConfig) : "";
  StoredModel stored = read_legacy_config(file.path() + ": model_config", read_string_attribute(file, "/", kModelConfig), training);
  if (!stored.model.built())
    throw Error(
        file.path() + ": model_config: the model has no input shape, so it has no weights. Add an Input layer in Keras and save it again",
        kUsage);
  read_weights(stored.model, file, find_legacy_weights(stored.model, file, stored.layers), TakeState::where_it_fits);
  return stored;
}

std::string legacy_model_image(Sequential& model, const std::string& name) {
  Hdf5File file = create_hdf5_image(name);
  write_string_attribute(file, "/", "keras_version", kKerasVersion);
  write_string_attribute(file, "/", "backend", "tensorflow");
  write_string_attribute(file, "/", kModelConfig, legacy_model_config(model));
  if (const std::string training = legacy_training_config(model); !training.empty())
    write_string_attribute(file, "/", kTrainingConfig, training);
  write_legacy_weights(file, "/model_weights", model);
  return hdf5_image(file);
}

}  // namespace lockstep
