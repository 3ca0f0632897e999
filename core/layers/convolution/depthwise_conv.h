#pragma once
#include "core/layers/layer.h"
#include "core/layers/padding.h"

namespace lockstep {

/// Convolves each channel by itself into depth_multiplier channels: y = activation(x * W + b), W (kernel_size.., channels,
/// depth_multiplier), b (channels x depth_multiplier). Source: keras/src/layers/convolutional/base_depthwise_conv.py.
template <std::size_t N>
struct DepthwiseConv {
  static constexpr Kind kKind = {.class_name = N == 1 ? "DepthwiseConv1D" : "DepthwiseConv2D"};
  Sizes<N> kernel_size;
  Sizes<N> strides = 1;
  Padding padding = Padding::valid;
  std::int64_t depth_multiplier = 1;
  Sizes<N> dilation_rate = 1;
  ActivationFunction activation = linear;
  bool use_bias = true;
  Initializer depthwise_initializer = Initializer::glorot_uniform;
  Initializer bias_initializer = Initializer::zeros;
  Regularizer depthwise_regularizer = {};
  Regularizer bias_regularizer = {};
  Regularizer activity_regularizer = {};
  Constraint depthwise_constraint = {};
  Constraint bias_constraint = {};
  std::string name = {};
  bool trainable = true;
};
using DepthwiseConv1D = DepthwiseConv<1>;
using DepthwiseConv2D = DepthwiseConv<2>;

template <class S>
concept IsDepthwiseConv = Is<S, DepthwiseConv1D> || Is<S, DepthwiseConv2D>;

template <IsDepthwiseConv S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{"depth_multiplier", between(1, kMostElements)}, layer.depth_multiplier);
  visit(Field{.name = "kernel_size", .bounds = between(1, kMostElements), .required = true}, layer.kernel_size);
  visit(Field{"strides", between(1, kMostElements)}, layer.strides);
  visit(Field{"padding"}, layer.padding);
  visit(Fixed{"data_format", "channels_last"});
  visit(Field{"dilation_rate", between(1, kMostElements)}, layer.dilation_rate);
  visit(Field{"activation"}, layer.activation);
  visit(Field{"use_bias"}, layer.use_bias);
  visit(Field{"depthwise_initializer"}, layer.depthwise_initializer);
  visit(Field{"bias_initializer"}, layer.bias_initializer);
  visit(Field{"depthwise_regularizer"}, layer.depthwise_regularizer);
  visit(Field{"bias_regularizer"}, layer.bias_regularizer);
  visit(Field{"activity_regularizer"}, layer.activity_regularizer);
  visit(Field{"depthwise_constraint"}, layer.depthwise_constraint);
  visit(Field{"bias_constraint"}, layer.bias_constraint);
}

BuiltLayer build(const DepthwiseConv1D& layer, const LayerSite& site);
BuiltLayer build(const DepthwiseConv2D& layer, const LayerSite& site);

}  // namespace lockstep
