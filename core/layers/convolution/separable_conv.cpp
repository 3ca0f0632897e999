#include "core/layers/convolution/separable_conv.h"

#include "core/layers/convolution/convolution_op.h"
#include "core/layers/convolution/kernel.h"

namespace lockstep {
namespace {

template <std::size_t N>
BuiltLayer build_separable(const SeparableConv<N>& layer, const LayerSite& site) {
  const Window2D window = convolution_window(layer, site.input);
  const std::int64_t channels = site.input.back();
  const Shape kernel = kernel_shape(layer, channels, layer.depth_multiplier);
  const std::int64_t between = channels * layer.depth_multiplier;
  fitting(layer, shape_after(window, N, between));
  const Shape output = fitting(layer, shape_after(window, N, layer.filters));
  const ConvolutionShape depthwise{channels, channels, between, window.height, window.width};
  const auto point = [](const WindowAxis& axis) { return WindowAxis{.in = axis.out, .out = axis.out}; };
  const ConvolutionShape pointwise{1, between, layer.filters, point(window.height), point(window.width)};
  Shape point_kernel(N, 1);
  point_kernel.push_back(between);
  point_kernel.push_back(layer.filters);
  ConvolutionWeights weights{{"pointwise_kernel", fitting(layer, point_kernel), layer.pointwise_initializer, layer.pointwise_regularizer,
                              layer.pointwise_constraint}};
  if (layer.use_bias) weights.bias = Weight{"bias", {layer.filters}, layer.bias_initializer, layer.bias_regularizer, layer.bias_constraint};
  BuiltLayer built = convolution_layer(output, convolution_op(pointwise, std::move(weights), fused(layer.activation)), layer.activation,
                                       layer.activity_regularizer);
  Weight depthwise_kernel{"depthwise_kernel", kernel, layer.depthwise_initializer, layer.depthwise_regularizer, layer.depthwise_constraint};
  built.ops.insert(built.ops.begin(), convolution_op(depthwise, {std::move(depthwise_kernel)}, linear));
  return built;
}

}  // namespace

BuiltLayer build(const SeparableConv1D& layer, const LayerSite& site) { return build_separable(layer, site); }
BuiltLayer build(const SeparableConv2D& layer, const LayerSite& site) { return build_separable(layer, site); }

}  // namespace lockstep
