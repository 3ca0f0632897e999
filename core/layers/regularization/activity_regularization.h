#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// The identity, which adds the penalty l1 * sum|x| + l2 * sum x^2 of every row, divided by the rows of the batch, to the loss.
/// Source: keras/src/layers/regularization/activity_regularization.py.
struct ActivityRegularization {
  static constexpr Kind kKind = {.class_name = "ActivityRegularization"};
  float l1 = 0;
  float l2 = 0;
  std::string name = {};
  bool trainable = true;
};

template <Is<ActivityRegularization> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"l1", at_least(0)}, layer.l1);
  visit(Field{"l2", at_least(0)}, layer.l2);
}

BuiltLayer build(const ActivityRegularization& layer, const LayerSite& site);

}  // namespace lockstep
