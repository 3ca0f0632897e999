#include "core/layers/convolution/depthwise_conv.h"

#include "core/layers/convolution/convolution_op.h"
#include "core/layers/convolution/kernel.h"

namespace lockstep {
namespace {

template <std::size_t N>
BuiltLayer build_depthwise(const DepthwiseConv<N>& layer, const LayerSite& site) {
  const Window2D window = convolution_window(layer, site.input);
  const std::int64_t channels = site.input.back();
  const Shape kernel = kernel_shape(layer, channels, layer.depth_multiplier);
  const std::int64_t filters = channels * layer.depth_multiplier;
  const Shape output = fitting(layer, shape_after(window, N, filters));
  const ConvolutionShape shape{channels, channels, filters, window.height, window.width};
  ConvolutionWeights weights{{"kernel", kernel, layer.depthwise_initializer, layer.depthwise_regularizer, layer.depthwise_constraint}};
  if (layer.use_bias) weights.bias = Weight{"bias", {filters}, layer.bias_initializer, layer.bias_regularizer, layer.bias_constraint};
  return convolution_layer(output, convolution_op(shape, std::move(weights), fused(layer.activation)), layer.activation,
                           layer.activity_regularizer);
}

}  // namespace

BuiltLayer build(const DepthwiseConv1D& layer, const LayerSite& site) { return build_depthwise(layer, site); }
BuiltLayer build(const DepthwiseConv2D& layer, const LayerSite& site) { return build_depthwise(layer, site); }

}  // namespace lockstep
