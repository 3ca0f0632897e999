#pragma once
#include <string>
#include <string_view>

#include "io/keras/stored_model.h"

// Reads config.json in the forms of all Keras 3 versions, and the model_config of .h5 files of Keras 2 and 3: the model and its layers.
namespace lockstep {

/// The model that a config.json describes: built if it says for what shape, compiled if it says how; weights are initial. A Sequential, or
/// a Functional that is a chain of layers; models within it give their layers. A layer or argument that Lockstep does not have is an Error
/// that names it; what it does not have of the compile configuration is a flaw. `name` of the file is for messages.
StoredModel read_model_config(const std::string& name, std::string_view json);
/// The same of an .h5 file, whose training configuration stands apart; empty: the model was not compiled.
StoredModel read_legacy_config(const std::string& name, std::string_view model_config, std::string_view training_config);

/// The model of read_model_config(); a flaw is an Error (kUsage).
Sequential model_from_config(const std::string& name, std::string_view json);

}  // namespace lockstep
