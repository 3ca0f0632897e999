#include "core/layers/layers.h"

namespace lockstep {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

}  // namespace

std::string class_name(const LayerSpec& layer) {
  return std::visit(Overloaded{[](const Input&) { return "InputLayer"; }, [](const Rescaling&) { return "Rescaling"; },
                               [](const Flatten&) { return "Flatten"; }, [](const Dense&) { return "Dense"; },
                               [](const Activation&) { return "Activation"; }, [](const Dropout&) { return "Dropout"; },
                               [](const Normalization&) { return "Normalization"; }},
                    layer);
}

const std::string& layer_name(const LayerSpec& layer) {
  return std::visit([](const auto& spec) -> const std::string& { return spec.name; }, layer);
}

std::string& layer_name(LayerSpec& layer) {
  return std::visit([](auto& spec) -> std::string& { return spec.name; }, layer);
}

}  // namespace lockstep
