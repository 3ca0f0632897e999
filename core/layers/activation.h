#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// The function alone.
struct Activation {
  static constexpr Kind kKind = {.class_name = "Activation"};
  ActivationFunction function;
  std::string name = {};
};

template <Is<Activation> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "activation", .required = true}, layer.function);
}

BuiltLayer build(const Activation& layer, const LayerSite& site);

}  // namespace lockstep
