#pragma once
#include <cstdint>

#include "core/layers/window.h"

namespace lockstep {

/// Elements of an axis that an output of a window sees: [first, last), and how many.
struct SeenElements {
  std::int64_t first, last;
  std::int64_t count() const { return last - first; }
};
inline SeenElements seen(const WindowAxis& axis, std::int64_t i) {
  const std::int64_t start = i * axis.stride - axis.before;
  return {start > 0 ? start : 0, start + axis.window < axis.in ? start + axis.window : axis.in};
}

// Maxima of windows and their gradient, for rows of (height, width, channels). With `positive` a negative maximum is 0. NaN stays NaN.

/// y = the maxima of x. `line`: scratch for a line of x.
void max_forward(const Window2D& window, std::int64_t channels, bool positive, std::int64_t rows, const float* x, float* line, float* y);
/// dx: each dy goes to the first input of its window that is its maximum; with `positive`, where that is positive. `line`: scratch for the
/// channels of a pixel.
void max_backward(const Window2D& window, std::int64_t channels, bool positive, std::int64_t rows, const float* x, const float* y,
                  const float* dy, float* line, float* dx);

}  // namespace lockstep
