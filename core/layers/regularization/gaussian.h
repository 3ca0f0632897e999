#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// In training adds normal numbers of mean 0; otherwise the identity. They are a function of (seed, layer, step, global row, element), as
/// Dropout's mask is. Source: keras/src/layers/regularization/gaussian_noise.py.
struct GaussianNoise {
  static constexpr Kind kKind = {.class_name = "GaussianNoise"};
  float stddev;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  std::string name = {};
  bool trainable = true;
};

/// In training multiplies by normal numbers of mean 1 and variance rate / (1 - rate); otherwise as GaussianNoise.
/// Source: keras/src/layers/regularization/gaussian_dropout.py.
struct GaussianDropout {
  static constexpr Kind kKind = {.class_name = "GaussianDropout"};
  float rate;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  std::string name = {};
  bool trainable = true;
};

template <Is<GaussianNoise> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "stddev", .bounds = between(0, 1), .required = true}, layer.stddev);
  visit(Field{"seed"}, layer.seed);
}
template <Is<GaussianDropout> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "rate", .bounds = from_to_below(0, 1), .required = true}, layer.rate);
  visit(Field{"seed"}, layer.seed);
}

BuiltLayer build(const GaussianNoise& layer, const LayerSite& site);
BuiltLayer build(const GaussianDropout& layer, const LayerSite& site);

}  // namespace lockstep
