#pragma once
#include <string>

#include "core/training/sequential.h"

// Keras 3's config.json: a Sequential, its layers and how it was compiled (keras/src/saving/serialization_lib.py). Written with the keys
// that every Keras 3 reads, and with the model's names (io/data/names/names_json.h), which Keras passes over and does not write again.
namespace lockstep {

inline constexpr const char* kKerasVersion = "3.0.5";  ///< the oldest that reads what we write

/// The JSON text. The model need not be built or compiled.
std::string model_config(Sequential& model);

/// The same for .h5 files, where the compile options stand apart; of a model that is not compiled they are empty. A list of axes, which
/// Keras' reader of that format loses, is an Error (kUsage) that names the layer.
std::string legacy_model_config(Sequential& model);
std::string legacy_training_config(Sequential& model);

}  // namespace lockstep
