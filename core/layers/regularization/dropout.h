#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// In training keeps a value with probability 1 - rate and multiplies it by 1 / (1 - rate); otherwise the identity. The mask is a pure
/// function of (seed, layer, step, global row of the batch, element): the same at every number of ranks.
struct Dropout {
  static constexpr Kind kKind = {.class_name = "Dropout"};
  float rate;
  std::optional<std::uint64_t> seed = {};  ///< default: the model's
  /// Shape of the mask with the batch axis: an axis of 1 shares it, none is the axis of the input; {}: all axes are.
  std::vector<std::optional<std::int64_t>> noise_shape = {};
  std::string name = {};
  bool trainable = true;
};

/// (steps, features): drops features for all steps. Source: keras/src/layers/regularization/spatial_dropout.py.
struct SpatialDropout1D {
  static constexpr Kind kKind = {.class_name = "SpatialDropout1D", .takes_trainable = false};
  float rate;
  std::optional<std::uint64_t> seed = {};  ///< as Dropout's
  std::string name = {};
  bool trainable = true;
};

/// (height, width, channels): drops channels for all pixels.
struct SpatialDropout2D {
  static constexpr Kind kKind = {.class_name = "SpatialDropout2D", .takes_trainable = false};
  float rate;
  std::optional<std::uint64_t> seed = {};  ///< as Dropout's
  std::string name = {};
  bool trainable = true;
};

template <Is<Dropout> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "rate", .bounds = between(0, 1), .required = true}, layer.rate);
  visit(Field{"seed"}, layer.seed);
  visit(Field{"noise_shape", at_least(1)}, layer.noise_shape);
}
template <Is<SpatialDropout1D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "rate", .bounds = between(0, 1), .required = true}, layer.rate);
  visit(Field{"seed"}, layer.seed);
}
template <Is<SpatialDropout2D> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "rate", .bounds = between(0, 1), .required = true}, layer.rate);
  visit(Field{"seed"}, layer.seed);
  visit(Fixed{"data_format", "channels_last"});
}

BuiltLayer build(const Dropout& layer, const LayerSite& site);
BuiltLayer build(const SpatialDropout1D& layer, const LayerSite& site);
BuiltLayer build(const SpatialDropout2D& layer, const LayerSite& site);

}  // namespace lockstep
