#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta, by mean and population variance of each row over `axis`, an axis or several;
/// gamma and beta have the lengths of these axes. Source: keras/src/layers/normalization/layer_normalization.py.
struct LayerNormalization {
  static constexpr Kind kKind = {.class_name = "LayerNormalization"};
  std::vector<std::int64_t> axis = {-1};  ///< counted with the batch axis as in Keras
  float epsilon = 1e-3F;
  bool center = true;  ///< has beta
  bool scale = true;   ///< has gamma
  Initializer beta_initializer = Initializer::zeros;
  Initializer gamma_initializer = Initializer::ones;
  Regularizer beta_regularizer = {};
  Regularizer gamma_regularizer = {};
  Constraint beta_constraint = {};
  Constraint gamma_constraint = {};
  std::string name = {};
  bool trainable = true;
};

/// The same over groups of channels of each row, and all its other axes. gamma and beta have one value a channel.
/// Source: keras/src/layers/normalization/group_normalization.py.
struct GroupNormalization {
  static constexpr Kind kKind = {.class_name = "GroupNormalization"};
  std::int64_t groups = 32;  ///< must divide the channels; -1: each channel is a group
  std::int64_t axis = -1;    ///< of the channels, counted with the batch axis
  float epsilon = 1e-3F;
  bool center = true;  ///< has beta
  bool scale = true;   ///< has gamma
  Initializer beta_initializer = Initializer::zeros;
  Initializer gamma_initializer = Initializer::ones;
  Regularizer beta_regularizer = {};
  Regularizer gamma_regularizer = {};
  Constraint beta_constraint = {};
  Constraint gamma_constraint = {};
  std::string name = {};
  bool trainable = true;
};

/// y = x / sqrt(sum of x^2) over `axis` of each row. Source: keras/src/layers/normalization/unit_normalization.py.
struct UnitNormalization {
  static constexpr Kind kKind = {.class_name = "UnitNormalization"};
  std::vector<std::int64_t> axis = {-1};  ///< counted with the batch axis as in Keras
  std::string name = {};
  bool trainable = true;
};

/// The settings that normalization layers with gamma and beta share.
template <class S, class Visit>
void gamma_and_beta_fields(S& layer, Visit&& visit) {
  visit(Field{"epsilon", above(0)}, layer.epsilon);
  visit(Field{"center"}, layer.center);
  visit(Field{"scale"}, layer.scale);
  visit(Field{"beta_initializer"}, layer.beta_initializer);
  visit(Field{"gamma_initializer"}, layer.gamma_initializer);
  visit(Field{"beta_regularizer"}, layer.beta_regularizer);
  visit(Field{"gamma_regularizer"}, layer.gamma_regularizer);
  visit(Field{"beta_constraint"}, layer.beta_constraint);
  visit(Field{"gamma_constraint"}, layer.gamma_constraint);
}

template <Is<LayerNormalization> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"axis"}, layer.axis);
  gamma_and_beta_fields(layer, visit);
}
template <Is<GroupNormalization> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"groups", at_least(-1)}, layer.groups);
  visit(Field{"axis"}, layer.axis);
  gamma_and_beta_fields(layer, visit);
}
template <Is<UnitNormalization> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "axis", .bare_if_one = true}, layer.axis);
}

BuiltLayer build(const LayerNormalization& layer, const LayerSite& site);
BuiltLayer build(const GroupNormalization& layer, const LayerSite& site);
BuiltLayer build(const UnitNormalization& layer, const LayerSite& site);

}  // namespace lockstep
