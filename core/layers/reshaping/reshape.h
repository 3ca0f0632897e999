#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// Shape of one sample.
struct Input {
  static constexpr Kind kKind = {.class_name = "InputLayer", .name = "Input"};
  Shape shape;
  std::string name = {};
};

/// (a, b, c) -> (a*b*c), row-major.
struct Flatten {
  static constexpr Kind kKind = {.class_name = "Flatten"};
  std::string name = {};
};

template <Is<Input> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "shape", .bounds = at_least(1), .required = true}, layer.shape);
}
template <Is<Flatten> S, class Visit>
void fields(S&, Visit&& visit) {
  visit(Fixed{"data_format", "channels_last"});
}

BuiltLayer build(const Input& layer, const LayerSite& site);
BuiltLayer build(const Flatten& layer, const LayerSite& site);

}  // namespace lockstep
