#pragma once
#include <cstdint>

namespace lockstep {

/// A window that slides along one axis: the lengths of input, output and window in elements, and the padding around the input. Output i
/// sees inputs i * stride - before + k * dilation for k in [0, window), those that exist.
struct WindowAxis {
  std::int64_t in = 1, out = 1, window = 1, stride = 1, dilation = 1, before = 0, after = 0;
};

/// A convolution over two axes; one of a single axis has height 1.
struct ConvolutionShape {
  std::int64_t groups = 1, in = 1, out = 1;  ///< channels in and out of all groups; groups divide both
  WindowAxis height = {}, width = {};
  bool bias = false;
};

}  // namespace lockstep
