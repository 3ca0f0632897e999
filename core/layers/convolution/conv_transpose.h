#pragma once
#include <optional>

#include "core/layers/layer.h"
#include "core/layers/padding.h"

namespace lockstep {

/// The transposed convolution, which enlarges: y = activation(x *' W + b), where *' is how a convolution of y would send gradients back
/// from x. W (kernel_size.., filters, channels), b (filters). Source: keras/src/layers/convolutional/base_conv_transpose.py.
template <std::size_t N>
struct ConvTranspose {
  static constexpr Kind kKind = {.class_name = N == 1 ? "Conv1DTranspose" : "Conv2DTranspose"};
  std::int64_t filters;
  Sizes<N> kernel_size;
  Sizes<N> strides = 1;
  Padding padding = Padding::valid;
  std::optional<Sizes<N>> output_padding = {};  ///< elements added at the end, below strides; default: as many as padding asks for
  Sizes<N> dilation_rate = 1;
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
using Conv1DTranspose = ConvTranspose<1>;
using Conv2DTranspose = ConvTranspose<2>;

template <class S>
concept IsConvTranspose = Is<S, Conv1DTranspose> || Is<S, Conv2DTranspose>;

template <IsConvTranspose S, class Visit>
void fields(S& layer, Visit&& visit) {
  visit(Field{.name = "filters", .bounds = between(1, kMostElements), .required = true}, layer.filters);
  visit(Field{.name = "kernel_size", .bounds = between(1, kMostElements), .required = true}, layer.kernel_size);
  visit(Field{"strides", between(1, kMostElements)}, layer.strides);
  visit(Field{"padding"}, layer.padding);
  visit(Field{"output_padding", between(0, kMostElements)}, layer.output_padding);
  visit(Fixed{"data_format", "channels_last"});
  visit(Field{"dilation_rate", between(1, kMostElements)}, layer.dilation_rate);
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

struct WindowAxis;  // core/math/window.h
/// The window of the convolution from y to x along an axis of x, of `in` elements; its `in` is the length of y. `more`: output_padding, -1:
/// the default. How Keras pads: keras/src/backend/common/backend_utils.py, _convert_conv_transpose_padding_args_from_keras_to_jax.
WindowAxis transposed_window(std::int64_t in, std::int64_t window, std::int64_t stride, std::int64_t dilation, Padding padding,
                             std::int64_t more);

BuiltLayer build(const Conv1DTranspose& layer, const LayerSite& site);
BuiltLayer build(const Conv2DTranspose& layer, const LayerSite& site);

}  // namespace lockstep
