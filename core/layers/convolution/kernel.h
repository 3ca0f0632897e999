#pragma once
#include <algorithm>

#include "core/layers/window.h"

// What the source files of convolutions share.
namespace lockstep {

/// An Error where strides and dilation are combined, which Keras does not have, or causal padding is asked for without `causal`.
template <class Layer>
void check_convolution(const Layer& layer, bool causal) {
  const auto longest = [](const auto& sizes) { return *std::max_element(sizes.along.begin(), sizes.along.end()); };
  if (longest(layer.strides) > 1 && longest(layer.dilation_rate) > 1) {
    throw layer_error(layer, "strides and dilation_rate cannot both be above 1; set one of them to 1");
  }
  if (!causal) check_padding(layer);
}

/// The window of a convolution on its input; what does not fit is an Error that names the layer.
template <class Layer>
Window2D convolution_window(const Layer& layer, const Shape& input, bool causal = false) {
  check_convolution(layer, causal);
  return window_of(layer, input, WindowSettings{layer.kernel_size, layer.strides, layer.dilation_rate, layer.padding});
}

/// (kernel_size.., third, last); an Error that names the layer if it is too large.
template <class Layer>
Shape kernel_shape(const Layer& layer, std::int64_t third, std::int64_t last) {
  Shape shape(layer.kernel_size.along.begin(), layer.kernel_size.along.end());
  shape.push_back(third);
  shape.push_back(last);
  if (row_fits(shape)) return shape;
  throw layer_error(layer, "a kernel of shape " + to_string(shape) + " has more than " + std::to_string(kMostElements) + " numbers");
}

}  // namespace lockstep
