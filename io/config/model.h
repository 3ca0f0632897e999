#pragma once
#include "io/config/config.h"
#include "io/config/section.h"

namespace lockstep {

/// `model:` a list of layers, or {keras: FILE}.
ModelConfig read_model(const YAML::Node& node, const std::string& file);
/// `loss`, `optimizer`, `metrics` of `training:`.
CompileOptions read_compile(ConfigSection& training);

}  // namespace lockstep
