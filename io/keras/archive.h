#pragma once
#include <string>
#include <string_view>

#include "io/keras/stored_model.h"

// Keras 3's model files (.keras): a zip archive of metadata.json, config.json and model.weights.h5. keras/src/saving/saving_lib.py.
namespace lockstep {

/// The bytes of such a file of a built model; `path` is for messages.
std::string archive_bytes(Sequential& model, const std::string& path);

/// The model in it: with weights, and with the optimizer's state if it is compiled. Damage is an Error that names file and member.
StoredModel read_archive(const std::string& path, std::string_view bytes);

}  // namespace lockstep
