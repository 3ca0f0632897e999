#include "core/layers/layers.h"

namespace lockstep {
std::string class_name(const LayerSpec& layer) { return std::string(kind_of(layer).class_name); }

const std::string& layer_name(const LayerSpec& layer) {
  return std::visit([](const auto& spec) -> const std::string& { return spec.name; }, layer);
}

std::string& layer_name(LayerSpec& layer) {
  return std::visit([](auto& spec) -> std::string& { return spec.name; }, layer);
}

}  // namespace lockstep
