#pragma once
#include <string>

#include "core/training/sequential.h"
#include "io/keras/weights.h"

// Keras 3's model files (.keras): a zip archive of metadata.json, config.json and model.weights.h5. keras/src/saving/saving_lib.py.
namespace lockstep {

/// Writes architecture, weights, compile options and optimizer state; Keras 3.0 and later opens it with keras.saving.load_model. The name
/// must end in ".keras". Written beside and renamed: an Error leaves an older file as it was. The model must be built. Call on one rank.
void save_model(Sequential& model, const std::string& path);

/// A model that Keras 3 or save_model wrote: built, compiled if it was, with weights and optimizer state. Damage, and layers or arguments
/// that Lockstep does not have, are Errors naming file and layer.
Sequential load_model(const std::string& path);

}  // namespace lockstep
