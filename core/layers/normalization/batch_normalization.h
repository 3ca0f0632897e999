#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// y = gamma (x - mean) / sqrt(variance + epsilon) + beta. In training mean and population variance are those of the global batch, whatever
/// the number of ranks, and move the averages that evaluate and predict use: moving = momentum moving + (1 - momentum) batch.
/// Not trainable: it uses the averages in training as well, and leaves them alone.
/// Source: keras/src/layers/normalization/batch_normalization.py.
struct BatchNormalization {
  static constexpr Kind kKind = {.class_name = "BatchNormalization"};
  std::int64_t axis = -1;  ///< the feature axis, counted with the batch axis as in Keras
  float momentum = 0.99F;
  float epsilon = 1e-3F;
  bool center = true;  ///< has beta
  bool scale = true;   ///< has gamma
  Initializer beta_initializer = Initializer::zeros;
  Initializer gamma_initializer = Initializer::ones;
  Initializer moving_mean_initializer = Initializer::zeros;
  Initializer moving_variance_initializer = Initializer::ones;
  Regularizer beta_regularizer = {};
  Regularizer gamma_regularizer = {};
  Constraint beta_constraint = {};
  Constraint gamma_constraint = {};
  std::string name = {};
  bool trainable = true;
};

template <Is<BatchNormalization> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"axis"}, layer.axis);
  visit(Field{"momentum", between(0, 1)}, layer.momentum);
  visit(Field{"epsilon", above(0)}, layer.epsilon);
  visit(Field{"center"}, layer.center);
  visit(Field{"scale"}, layer.scale);
  visit(Field{"beta_initializer"}, layer.beta_initializer);
  visit(Field{"gamma_initializer"}, layer.gamma_initializer);
  visit(Field{"moving_mean_initializer"}, layer.moving_mean_initializer);
  visit(Field{"moving_variance_initializer"}, layer.moving_variance_initializer);
  visit(Field{"beta_regularizer"}, layer.beta_regularizer);
  visit(Field{"gamma_regularizer"}, layer.gamma_regularizer);
  visit(Field{"beta_constraint"}, layer.beta_constraint);
  visit(Field{"gamma_constraint"}, layer.gamma_constraint);
  visit(Fixed{"synchronized", false});  // the sums of several replicas, of which the process that reads the file is one
  visit(Ignored{"renorm_clipping"});    // renorm: true is refused as unknown
  visit(Ignored{"renorm_momentum"});
}

BuiltLayer build(const BatchNormalization& layer, const LayerSite& site);

}  // namespace lockstep
