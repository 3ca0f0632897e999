#include "io/onnx/convolutions.h"

#include "core/layers/window.h"
#include "io/onnx/activations.h"

namespace lockstep {
namespace {

using Attribute = OnnxGraph::Attribute;
using List = std::vector<std::int64_t>;

template <std::size_t N>
List list(const Sizes<N>& sizes) {
  return {sizes.along.begin(), sizes.along.end()};
}

/// (batch, axes.., channels) -> (batch, channels, axes..)
void channels_first(OnnxGraph& graph, std::size_t axes) {
  List order{0, static_cast<std::int64_t>(axes) + 1};
  for (std::size_t axis = 1; axis <= axes; ++axis) order.push_back(static_cast<std::int64_t>(axis));
  graph.add("Transpose", {}, {{"perm", order}});
}

void channels_last(OnnxGraph& graph, std::size_t axes) {
  List order{0};
  for (std::size_t axis = 2; axis < axes + 2; ++axis) order.push_back(static_cast<std::int64_t>(axis));
  order.push_back(1);
  graph.add("Transpose", {}, {{"perm", order}});
}

/// Elements before and after every spatial axis: all that come before, then all that come after.
template <std::size_t N>
List pads(const Shape& input, const WindowSettings<N>& window) {
  List around(2 * N);
  for (std::size_t axis = 0; axis < N; ++axis) {
    const WindowAxis along = slide(input[axis], window.window[axis], window.strides[axis], window.dilation[axis], window.padding);
    around[axis] = along.before;
    around[N + axis] = along.after;
  }
  return around;
}

template <std::size_t N>
std::vector<Attribute> attributes(const Shape& input, const WindowSettings<N>& window) {
  return {{"kernel_shape", list(window.window)}, {"strides", list(window.strides)}, {"pads", pads(input, window)}};
}

/// Keras' kernel (axes.., third, last) as (last, third, axes..), or as (third x last, 1, axes..) where each channel has its own.
std::string kernel(const OnnxSite& site, const WeightView& weight, bool depthwise) {
  const Shape axes(weight.shape.begin(), weight.shape.end() - 2);
  const std::int64_t positions = elements(axes), third = weight.shape[axes.size()], last = weight.shape.back();
  std::vector<float> values(weight.values.size());
  for (std::int64_t p = 0; p < positions; ++p) {
    for (std::int64_t t = 0; t < third; ++t) {
      for (std::int64_t l = 0; l < last; ++l) {
        const std::int64_t to = depthwise ? t * last + l : l * third + t;
        values[static_cast<std::size_t>(to * positions + p)] = weight.values[static_cast<std::size_t>((p * third + t) * last + l)];
      }
    }
  }
  Shape shape = depthwise ? Shape{third * last, 1} : Shape{last, third};
  shape.insert(shape.end(), axes.begin(), axes.end());
  return site.graph.constant(weight.name.c_str(), shape, values);
}

/// A convolution on channels first; `bias` may be null.
template <std::size_t N>
void convolve(const OnnxSite& site, const Shape& input, const WindowSettings<N>& window, std::int64_t groups, const std::string& weights,
              const WeightView* bias) {
  std::vector<std::string> inputs{weights};
  if (bias != nullptr) inputs.push_back(site.constant(*bias));
  std::vector<Attribute> all = attributes(input, window);
  all.push_back({"dilations", list(window.dilation)});
  all.push_back({"group", groups});
  site.graph.add("Conv", inputs, all);
}

template <std::size_t N>
void write_conv(const Conv<N>& layer, const OnnxSite& site) {
  channels_first(site.graph, N);
  convolve<N>(site, site.input, {layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding}, layer.groups,
              kernel(site, site.weight("kernel"), false), site.find("bias"));
  channels_last(site.graph, N);
  add_activation(site.graph, layer.activation);
}

/// ONNX' output along an axis is stride (in - 1) + dilation (kernel - 1) + 1 + output_padding - pads.
template <std::size_t N>
void write_transposed(const ConvTranspose<N>& layer, const OnnxSite& site) {
  List pads(2 * N), more(N);
  for (std::size_t axis = 0; axis < N; ++axis) {
    const WindowAxis along = transposed_window(site.input[axis], layer.kernel_size[axis], layer.strides[axis], layer.dilation_rate[axis],
                                               layer.padding, layer.output_padding ? (*layer.output_padding)[axis] : -1);
    pads[axis] = along.before;
    pads[N + axis] = along.after;
    const std::int64_t reached = along.stride * (along.out - 1) + along.dilation * (along.window - 1) + 1 - along.before - along.after;
    more[axis] = along.in - reached;
  }
  std::vector<std::string> inputs{kernel(site, site.weight("kernel"), false)};
  if (layer.use_bias) inputs.push_back(site.constant(site.weight("bias")));
  channels_first(site.graph, N);
  site.graph.add("ConvTranspose", inputs,
                 {{"kernel_shape", list(layer.kernel_size)},
                  {"strides", list(layer.strides)},
                  {"dilations", list(layer.dilation_rate)},
                  {"pads", pads},
                  {"output_padding", more}});
  channels_last(site.graph, N);
  add_activation(site.graph, layer.activation);
}

/// The first weight of a depthwise or separable layer convolves every channel by itself.
template <std::size_t N>
void convolve_channels(const WindowSettings<N>& window, const OnnxSite& site, const WeightView* bias) {
  convolve(site, site.input, window, site.input.back(), kernel(site, site.weights.front(), true), bias);
}

template <std::size_t N>
void write_depthwise(const DepthwiseConv<N>& layer, const OnnxSite& site) {
  channels_first(site.graph, N);
  convolve_channels<N>({layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding}, site, site.find("bias"));
  channels_last(site.graph, N);
  add_activation(site.graph, layer.activation);
}

template <std::size_t N>
void write_separable(const SeparableConv<N>& layer, const OnnxSite& site) {
  channels_first(site.graph, N);
  convolve_channels<N>({layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding}, site, nullptr);
  convolve<N>(site, site.output, {1}, 1, kernel(site, site.weights[1], false), site.find("bias"));
  channels_last(site.graph, N);
  add_activation(site.graph, layer.activation);
}

template <std::size_t N>
void write_pooling(const char* op, const Sizes<N>& size, const std::optional<Sizes<N>>& strides, Padding padding, const OnnxSite& site) {
  channels_first(site.graph, N);
  site.graph.add(op, {}, attributes<N>(site.input, {size, strides.value_or(size), 1, padding}));
  channels_last(site.graph, N);
}

void write_global(const char* op, std::size_t axes, bool keepdims, const OnnxSite& site) {
  List over;
  for (std::size_t axis = 1; axis <= axes; ++axis) over.push_back(static_cast<std::int64_t>(axis));
  site.graph.add(op, {}, {{"axes", over}, {"keepdims", std::int64_t{keepdims ? 1 : 0}}});
}

}  // namespace

void write_onnx(const Conv1D& layer, const OnnxSite& site) { write_conv(layer, site); }
void write_onnx(const Conv2D& layer, const OnnxSite& site) { write_conv(layer, site); }
void write_onnx(const Conv1DTranspose& layer, const OnnxSite& site) { write_transposed(layer, site); }
void write_onnx(const Conv2DTranspose& layer, const OnnxSite& site) { write_transposed(layer, site); }
void write_onnx(const DepthwiseConv1D& layer, const OnnxSite& site) { write_depthwise(layer, site); }
void write_onnx(const DepthwiseConv2D& layer, const OnnxSite& site) { write_depthwise(layer, site); }
void write_onnx(const SeparableConv1D& layer, const OnnxSite& site) { write_separable(layer, site); }
void write_onnx(const SeparableConv2D& layer, const OnnxSite& site) { write_separable(layer, site); }
void write_onnx(const MaxPooling1D& layer, const OnnxSite& site) {
  write_pooling("MaxPool", layer.pool_size, layer.strides, layer.padding, site);
}
void write_onnx(const MaxPooling2D& layer, const OnnxSite& site) {
  write_pooling("MaxPool", layer.pool_size, layer.strides, layer.padding, site);
}
void write_onnx(const AveragePooling1D& layer, const OnnxSite& site) {
  write_pooling("AveragePool", layer.pool_size, layer.strides, layer.padding, site);
}
void write_onnx(const AveragePooling2D& layer, const OnnxSite& site) {
  write_pooling("AveragePool", layer.pool_size, layer.strides, layer.padding, site);
}
void write_onnx(const GlobalMaxPooling1D& layer, const OnnxSite& site) { write_global("ReduceMax", 1, layer.keepdims, site); }
void write_onnx(const GlobalMaxPooling2D& layer, const OnnxSite& site) { write_global("ReduceMax", 2, layer.keepdims, site); }
void write_onnx(const GlobalAveragePooling1D& layer, const OnnxSite& site) { write_global("ReduceMean", 1, layer.keepdims, site); }
void write_onnx(const GlobalAveragePooling2D& layer, const OnnxSite& site) { write_global("ReduceMean", 2, layer.keepdims, site); }

}  // namespace lockstep
