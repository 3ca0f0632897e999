#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// y = x * scale + offset.
struct Rescaling {
  static constexpr Kind kKind = {.class_name = "Rescaling"};
  float scale = 1;
  float offset = 0;
  std::string name = {};
  bool trainable = true;
};

template <Is<Rescaling> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "scale", .required = true}, layer.scale);
  visit(Field{"offset"}, layer.offset);
}

BuiltLayer build(const Rescaling& layer, const LayerSite& site);

}  // namespace lockstep
