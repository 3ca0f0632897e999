#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// In training keeps a value with probability 1 - rate and multiplies it by 1 / (1 - rate); otherwise the identity. The mask is a pure
/// function of (seed, layer, step, global row of the batch, element): the same at every number of ranks.
struct Dropout {
  static constexpr Kind kKind = {.class_name = "Dropout"};
  float rate;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  std::string name = {};
};

template <Is<Dropout> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "rate", .bounds = between(0, 1), .required = true}, layer.rate);
  visit(Field{"seed"}, layer.seed);
  visit(Fixed{"noise_shape"});
}

BuiltLayer build(const Dropout& layer, const LayerSite& site);

}  // namespace lockstep
