#pragma once
#include <string>

#include "core/compile/sizes.h"
#include "core/data/shape.h"
#include "core/layers/op.h"
#include "core/layers/padding.h"
#include "core/math/window.h"

namespace lockstep {

/// A window over two axes; a row of one axis has height 1.
struct Window2D {
  WindowAxis height, width;
  std::int64_t positions() const { return height.out * width.out; }
};

/// The window along an axis of `in` elements; its `out` is below 1 if a valid window is longer than the input.
WindowAxis slide(std::int64_t in, std::int64_t window, std::int64_t stride, std::int64_t dilation, Padding padding);

/// Sizes of a window over N axes.
template <std::size_t N>
struct WindowSettings {
  Sizes<N> window, strides = 1, dilation = 1;
  Padding padding = Padding::valid;
};

/// What is wrong with a window that spans so many elements; empty: nothing. For windows and dilations up to kMostElements.
std::string wrong_span(std::int64_t window, std::int64_t dilation);

/// What is wrong with a window on an input (axes.., channels); empty: nothing.
std::string wrong_window(const Shape& input, std::size_t axes, const Window2D& window);

/// An Error where a layer that is not Conv1D asks for causal padding.
template <class Layer>
void check_padding(const Layer& layer) {
  if (layer.padding == Padding::causal) throw layer_error(layer, "padding: causal is for Conv1D alone; set valid or same");
}

/// The window of a layer on its input (axes.., channels). What does not fit is an Error that names the layer.
template <class Layer, std::size_t N>
Window2D window_of(const Layer& layer, const Shape& input, const WindowSettings<N>& settings) {
  if (input.size() != N + 1) throw layer_error(layer, wrong_window(input, N, {}));
  const auto along = [&](std::size_t axis) {
    return slide(input[axis], settings.window[axis], settings.strides[axis], settings.dilation[axis], settings.padding);
  };
  const Window2D window = N == 1 ? Window2D{{}, along(0)} : Window2D{along(0), along(N - 1)};
  if (const std::string wrong = wrong_window(input, N, window); !wrong.empty()) throw layer_error(layer, wrong);
  return window;
}

/// (height, width, channels), or (width, channels) of one axis.
Shape shape_after(const Window2D& window, std::size_t axes, std::int64_t channels);

}  // namespace lockstep
