#include "core/layers/convolution/conv_transpose.h"

#include <algorithm>

#include "core/layers/convolution/convolution_op.h"
#include "core/layers/convolution/kernel.h"

namespace lockstep {
namespace {

template <std::size_t N>
Window2D mirrored_window(const ConvTranspose<N>& layer, const Shape& input) {
  check_convolution(layer, false);
  if (const std::string wrong = wrong_window(input, N, {}); !wrong.empty()) throw layer_error(layer, wrong);
  for (std::size_t axis = 0; axis < N && layer.output_padding; ++axis) {
    if ((*layer.output_padding)[axis] >= layer.strides[axis]) throw layer_error(layer, "output_padding must be below strides");
  }
  const auto along = [&](std::size_t axis) {
    const std::int64_t more = layer.output_padding ? (*layer.output_padding)[axis] : -1;
    return transposed_window(input[axis], layer.kernel_size[axis], layer.strides[axis], layer.dilation_rate[axis], layer.padding, more);
  };
  for (std::size_t axis = 0; axis < N; ++axis) {  // before a product of them
    if (const std::string wrong = wrong_span(layer.kernel_size[axis], layer.dilation_rate[axis]); !wrong.empty())
      throw layer_error(layer, wrong);
  }
  const Window2D window = N == 1 ? Window2D{{}, along(0)} : Window2D{along(0), along(N - 1)};
  for (const WindowAxis& axis : {window.height, window.width}) {
    if (axis.in < 1) throw layer_error(layer, "its output would be empty; set another output_padding");
  }
  return window;
}

template <std::size_t N>
BuiltLayer build_transpose(const ConvTranspose<N>& layer, const LayerSite& site) {
  const Window2D window = mirrored_window(layer, site.input);
  const std::int64_t channels = site.input.back();
  const Shape output =
      fitting(layer, N == 1 ? Shape{window.width.in, layer.filters} : Shape{window.height.in, window.width.in, layer.filters});
  const ConvolutionShape shape{1, layer.filters, channels, window.height, window.width};
  ConvolutionWeights weights{{"kernel", kernel_shape(layer, layer.filters, channels), layer.kernel_initializer, layer.kernel_regularizer,
                              layer.kernel_constraint}};
  if (layer.use_bias) weights.bias = Weight{"bias", {layer.filters}, layer.bias_initializer, layer.bias_regularizer, layer.bias_constraint};
  return convolution_layer(output, transposed_convolution_op(shape, std::move(weights), fused(layer.activation)), layer.activation,
                           layer.activity_regularizer);
}

}  // namespace

WindowAxis transposed_window(std::int64_t in, std::int64_t window, std::int64_t stride, std::int64_t dilation, Padding padding,
                             std::int64_t more) {
  const std::int64_t span = (window - 1) * dilation + 1;
  std::int64_t left = span - 1,
               all = 2 * left + (more < 0 ? std::max(span, stride) - span : more);  // padding around x spread by the stride
  if (padding == Padding::same) {
    all = more < 0 ? stride + span - 2 : span + span % 2 - 2 + more;
    left = std::min((all + 1) / 2, span - 1);
  }
  const std::int64_t out = (in - 1) * stride + all - span + 2;
  const std::int64_t before = span - 1 - left;
  const std::int64_t after = std::max<std::int64_t>((in - 1) * stride + span - before - out, 0);  // below 0: y ends in unseen elements
  return {.in = out, .out = in, .window = window, .stride = stride, .dilation = dilation, .before = before, .after = after};
}

BuiltLayer build(const Conv1DTranspose& layer, const LayerSite& site) { return build_transpose(layer, site); }
BuiltLayer build(const Conv2DTranspose& layer, const LayerSite& site) { return build_transpose(layer, site); }

}  // namespace lockstep
