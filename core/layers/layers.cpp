#include "core/layers/layers.h"

namespace lockstep {

std::string class_name(const LayerSpec& layer) { return std::string(kind_of(layer).class_name); }

const std::string& layer_name(const LayerSpec& layer) {
  return std::visit([](const auto& spec) -> const std::string& { return spec.name; }, layer);
}

std::string& layer_name(LayerSpec& layer) {
  return std::visit([](auto& spec) -> std::string& { return spec.name; }, layer);
}

bool layer_trainable(const LayerSpec& layer) {
  return std::visit(Overloaded{[](const Input&) { return true; }, [](const auto& spec) { return spec.trainable; }}, layer);
}

void set_layer_trainable(LayerSpec& layer, bool trainable) {
  std::visit(Overloaded{[](Input&) {}, [=](auto& spec) { spec.trainable = trainable; }}, layer);
}

}  // namespace lockstep
