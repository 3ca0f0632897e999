#include "core/layers/convolution/conv.h"

#include "core/layers/convolution/convolution_op.h"
#include "core/layers/convolution/kernel.h"

namespace lockstep {
namespace {

template <std::size_t N>
BuiltLayer build_conv(const Conv<N>& layer, const LayerSite& site) {
  const Window2D window = convolution_window(layer, site.input, N == 1);
  const std::int64_t channels = site.input.back();
  if (channels % layer.groups != 0 || layer.filters % layer.groups != 0) {
    throw layer_error(layer, "groups " + std::to_string(layer.groups) + " must divide the " + std::to_string(channels) +
                                 " channels of its input and the " + std::to_string(layer.filters) + " filters");
  }
  const Shape output = fitting(layer, shape_after(window, N, layer.filters));
  const ConvolutionShape shape{layer.groups, channels, layer.filters, window.height, window.width};
  ConvolutionWeights weights{{"kernel", kernel_shape(layer, channels / layer.groups, layer.filters), layer.kernel_initializer,
                              layer.kernel_regularizer, layer.kernel_constraint}};
  if (layer.use_bias) weights.bias = Weight{"bias", {layer.filters}, layer.bias_initializer, layer.bias_regularizer, layer.bias_constraint};
  return convolution_layer(output, convolution_op(shape, std::move(weights), fused(layer.activation)), layer.activation,
                           layer.activity_regularizer);
}

}  // namespace

BuiltLayer build(const Conv1D& layer, const LayerSite& site) { return build_conv(layer, site); }
BuiltLayer build(const Conv2D& layer, const LayerSite& site) { return build_conv(layer, site); }

}  // namespace lockstep
