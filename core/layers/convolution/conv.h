#pragma once
#include "core/layers/layer.h"
#include "core/layers/padding.h"

namespace lockstep {

/// y = activation(x * W + b) over N spatial axes: Conv1D of (steps, channels), Conv2D of (height, width, channels). W (kernel_size..,
/// channels / groups, filters), b (filters). Source: keras/src/layers/convolutional/base_conv.py.
template <std::size_t N>
struct Conv {
  static constexpr Kind kKind = {.class_name = N == 1 ? "Conv1D" : "Conv2D"};
  std::int64_t filters;
  Sizes<N> kernel_size;
  Sizes<N> strides = 1;
  Padding padding = Padding::valid;  ///< causal: of Conv1D
  Sizes<N> dilation_rate = 1;
  std::int64_t groups = 1;  ///< each sees channels / groups and makes filters / groups
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
using Conv1D = Conv<1>;
using Conv2D = Conv<2>;

template <class S>
concept IsConv = Is<S, Conv1D> || Is<S, Conv2D>;

template <IsConv S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "filters", .bounds = between(1, kMostElements), .required = true}, layer.filters);
  visit(Field{.name = "kernel_size", .bounds = between(1, kMostElements), .required = true}, layer.kernel_size);
  visit(Field{"strides", between(1, kMostElements)}, layer.strides);
  visit(Field{"padding"}, layer.padding);
  visit(Fixed{"data_format", "channels_last"});
  visit(Field{"dilation_rate", between(1, kMostElements)}, layer.dilation_rate);
  visit(Field{"groups", between(1, kMostElements)}, layer.groups);
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

BuiltLayer build(const Conv1D& layer, const LayerSite& site);
BuiltLayer build(const Conv2D& layer, const LayerSite& site);

}  // namespace lockstep
