#include "core/layers/window.h"

#include <algorithm>

namespace lockstep {
namespace {

constexpr std::int64_t kMostWindow = 1 << 20;  // elements that a window spans: what oneDNN's kernels count with

std::int64_t span_of(const WindowAxis& axis) { return (axis.window - 1) * axis.dilation + 1; }

}  // namespace

WindowAxis slide(std::int64_t in, std::int64_t window, std::int64_t stride, std::int64_t dilation, Padding padding) {
  WindowAxis axis{.in = in, .window = window, .stride = stride, .dilation = dilation};
  const std::int64_t span = span_of(axis);
  if (padding == Padding::causal) axis.before = span - 1;
  if (padding == Padding::same) {
    axis.out = (in + stride - 1) / stride;
    const std::int64_t total = std::max<std::int64_t>((axis.out - 1) * stride + span - in, 0);
    axis.before = total / 2;
    axis.after = total - axis.before;
  } else {
    const std::int64_t left = in + axis.before - span;
    axis.out = left < 0 ? 0 : left / stride + 1;
  }
  return axis;
}

std::string wrong_span(std::int64_t window, std::int64_t dilation) {
  const std::int64_t span = span_of({.window = window, .dilation = dilation});
  if (span <= kMostWindow) return "";
  return "a window over " + std::to_string(span) + " elements is longer than " + std::to_string(kMostWindow);
}

std::string wrong_window(const Shape& input, std::size_t axes, const Window2D& window) {
  const std::string shape = to_string(input, true);
  if (input.size() != axes + 1) {
    return std::string("needs an input of shape ") + (axes == 1 ? "(None, steps, channels)" : "(None, height, width, channels)") +
           ", found " + shape + "; put a Reshape before it";
  }
  for (const WindowAxis& axis : {window.height, window.width}) {
    if (std::string wrong = wrong_span(axis.window, axis.dilation); !wrong.empty()) return wrong;
    if (axis.out >= 1) continue;
    return "a window over " + std::to_string(span_of(axis)) + " elements is longer than the " + std::to_string(axis.in) + " of its input " +
           shape + "; make it smaller, or set padding: same";
  }
  return "";
}

Shape shape_after(const Window2D& window, std::size_t axes, std::int64_t channels) {
  if (axes == 1) return {window.width.out, channels};
  return {window.height.out, window.width.out, channels};
}

}  // namespace lockstep
