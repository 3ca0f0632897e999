#pragma once
#include <string>
#include <string_view>

#include "core/training/sequential.h"

// Reads config.json in the forms of all Keras 3 versions: the model and its layers.
namespace lockstep {

/// The model that a config.json describes: built if it says for what shape, compiled if it says how; weights are initial. A layer,
/// argument, loss, metric or optimizer that Lockstep does not have is an Error that names it; `name` of the file is for messages.
Sequential model_from_config(const std::string& name, std::string_view json);

}  // namespace lockstep
