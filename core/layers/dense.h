#pragma once
#include "core/layers/layer.h"

namespace lockstep {

/// y = activation(x W + b) over the last axis; W (in, units) row-major, b (units).
/// Source: keras/src/layers/core/dense.py.
struct Dense {
  static constexpr Kind kKind = {.class_name = "Dense", .has_products = true};
  std::int64_t units;
  ActivationFunction activation = linear;
  bool use_bias = true;
  Initializer kernel_initializer = Initializer::glorot_uniform;
  Initializer bias_initializer = Initializer::zeros;
  Regularizer kernel_regularizer = {};
  Regularizer bias_regularizer = {};
  Regularizer activity_regularizer = {};
  Constraint kernel_constraint = {};
  Constraint bias_constraint = {};
  std::string name = {};
  bool trainable = true;
};

template <Is<Dense> S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "units", .bounds = between(1, kMostElements), .required = true}, layer.units);
  visit(Field{"activation"}, layer.activation);
  visit(Field{"use_bias"}, layer.use_bias);
  visit(Field{"kernel_initializer"}, layer.kernel_initializer);
  visit(Field{"bias_initializer"}, layer.bias_initializer);
  visit(Field{"kernel_regularizer"}, layer.kernel_regularizer);
  visit(Field{"bias_regularizer"}, layer.bias_regularizer);
  visit(Field{"activity_regularizer"}, layer.activity_regularizer);
  visit(Field{"kernel_constraint"}, layer.kernel_constraint);
  visit(Field{"bias_constraint"}, layer.bias_constraint);
}

BuiltLayer build(const Dense& layer, const LayerSite& site);

}  // namespace lockstep
