#pragma once
#include <string>
#include <string_view>

#include "core/training/sequential.h"

// Keras 3's config.json: a Sequential, its layers and how it was compiled (keras/src/saving/serialization_lib.py). Written with the keys
// that every Keras 3 reads; read in the forms of all of them.
namespace lockstep {

/// The JSON text. The model need not be built or compiled.
std::string model_config(Sequential& model);

/// The model that a config.json describes: built if it says for what shape, compiled if it says how; weights are initial. A layer,
/// argument, loss, metric or optimizer that Lockstep does not have is an Error that names it; `name` of the file is for messages.
Sequential model_from_config(const std::string& name, std::string_view json);

}  // namespace lockstep
