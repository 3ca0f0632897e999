#pragma once
#include "core/layers/layer.h"
#include "core/layers/padding.h"

namespace lockstep {

/// A depthwise convolution without a bias, then a pointwise one: y = activation(x * D * P + b), D (kernel_size.., channels,
/// depth_multiplier), P (1.., channels x depth_multiplier, filters), b (filters).
/// Source: keras/src/layers/convolutional/base_separable_conv.py.
template <std::size_t N>
struct SeparableConv {
  static constexpr Kind kKind = {.class_name = N == 1 ? "SeparableConv1D" : "SeparableConv2D"};
  std::int64_t filters;
  Sizes<N> kernel_size;
  Sizes<N> strides = 1;
  Padding padding = Padding::valid;
  Sizes<N> dilation_rate = 1;
  std::int64_t depth_multiplier = 1;
  ActivationFunction activation = linear;
  bool use_bias = true;
  Initializer depthwise_initializer = Initializer::glorot_uniform;
  Initializer pointwise_initializer = Initializer::glorot_uniform;
  Initializer bias_initializer = Initializer::zeros;
  Regularizer depthwise_regularizer = {};
  Regularizer pointwise_regularizer = {};
  Regularizer bias_regularizer = {};
  Regularizer activity_regularizer = {};
  Constraint depthwise_constraint = {};
  Constraint pointwise_constraint = {};
  Constraint bias_constraint = {};
  std::string name = {};
  bool trainable = true;
};
using SeparableConv1D = SeparableConv<1>;
using SeparableConv2D = SeparableConv<2>;

template <class S>
concept IsSeparableConv = Is<S, SeparableConv1D> || Is<S, SeparableConv2D>;

template <IsSeparableConv S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"depth_multiplier", between(1, kMostElements)}, layer.depth_multiplier);
  visit(Field{.name = "filters", .bounds = between(1, kMostElements), .required = true}, layer.filters);
  visit(Field{.name = "kernel_size", .bounds = between(1, kMostElements), .required = true}, layer.kernel_size);
  visit(Field{"strides", between(1, kMostElements)}, layer.strides);
  visit(Field{"padding"}, layer.padding);
  visit(Fixed{"data_format", "channels_last"});
  visit(Field{"dilation_rate", between(1, kMostElements)}, layer.dilation_rate);
  visit(Field{"activation"}, layer.activation);
  visit(Field{"use_bias"}, layer.use_bias);
  visit(Field{"depthwise_initializer"}, layer.depthwise_initializer);
  visit(Field{"pointwise_initializer"}, layer.pointwise_initializer);
  visit(Field{"bias_initializer"}, layer.bias_initializer);
  visit(Field{"depthwise_regularizer"}, layer.depthwise_regularizer);
  visit(Field{"pointwise_regularizer"}, layer.pointwise_regularizer);
  visit(Field{"bias_regularizer"}, layer.bias_regularizer);
  visit(Field{"activity_regularizer"}, layer.activity_regularizer);
  visit(Field{"depthwise_constraint"}, layer.depthwise_constraint);
  visit(Field{"pointwise_constraint"}, layer.pointwise_constraint);
  visit(Field{"bias_constraint"}, layer.bias_constraint);
}

BuiltLayer build(const SeparableConv1D& layer, const LayerSite& site);
BuiltLayer build(const SeparableConv2D& layer, const LayerSite& site);

}  // namespace lockstep
