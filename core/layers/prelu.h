#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// y = x > 0 ? x : alpha x, with a weight alpha for each number of a row, or for each index of the axes that do not share it.
/// Source: keras/src/layers/activations/prelu.py.
struct PReLU {
  static constexpr Kind kKind = {.class_name = "PReLU"};
  Initializer alpha_initializer = Initializer::zeros;
  Regularizer alpha_regularizer = {};
  Constraint alpha_constraint = {};
  std::vector<std::int64_t> shared_axes = {};  ///< counted with the batch axis: 1 is the first of a row
  std::string name = {};
  bool trainable = true;
};

template <Is<PReLU> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"alpha_initializer"}, layer.alpha_initializer);
  visit(Field{"alpha_regularizer"}, layer.alpha_regularizer);
  visit(Field{"alpha_constraint"}, layer.alpha_constraint);
  visit(Field{"shared_axes", at_least(1)}, layer.shared_axes);
}

BuiltLayer build(const PReLU& layer, const LayerSite& site);

}  // namespace lockstep
