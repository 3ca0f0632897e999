#include "core/layers/regularization/activity_regularization.h"

#include "core/layers/activity_regularizer.h"

namespace lockstep {

BuiltLayer build(const ActivityRegularization& layer, const LayerSite& site) {
  BuiltLayer built{.output = site.input};
  add_activity_regularizer({.l1 = layer.l1, .l2 = layer.l2}, built);
  return built;
}

}  // namespace lockstep
