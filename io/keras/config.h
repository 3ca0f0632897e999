#pragma once
#include <string>

#include "core/training/sequential.h"

// Keras 3's config.json: a Sequential, its layers and how it was compiled (keras/src/saving/serialization_lib.py). Written with the keys
// that every Keras 3 reads.
namespace lockstep {

/// The JSON text. The model need not be built or compiled.
std::string model_config(Sequential& model);

}  // namespace lockstep
