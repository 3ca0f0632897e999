#pragma once
#include "core/data/numbers.h"
#include "core/layers/layer.h"

namespace lockstep {

/// y = x * scale + offset: numbers, or lists that are broadcast over the row, last axis to last axis.
/// Source: keras/src/layers/preprocessing/rescaling.py.
struct Rescaling {
  static constexpr Kind kKind = {.class_name = "Rescaling"};
  Numbers scale = 1;
  Numbers offset = 0;
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
