#pragma once
#include "io/config/config.h"
#include "io/config/section.h"

namespace lockstep {

// The parts of a configuration, each read in a file of its own.

/// `model:` a list of layers.
ModelConfig read_model(const YAML::Node& node, const std::string& file);
/// `loss`, `optimizer`, `metrics` of `training:`.
CompileOptions read_compile(ConfigSection& training);

}  // namespace lockstep
