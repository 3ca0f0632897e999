#pragma once
#include <cstdint>
#include <span>
#include <vector>

namespace lockstep {

/// Where a pixel comes from along an axis: 1 - weight of pixel `first` and `weight` of pixel `second`. A negative pixel is outside.
struct Tap {
  std::int64_t first, second;
  float weight;
};

/// An image (height, width, channels) that is resampled along both axes.
class Resampling {
 public:
  /// `outside`: the value of pixels outside.
  Resampling(std::int64_t height, std::int64_t width, std::int64_t channels, float outside = 0);

  /// y (rows, columns, channels) from x.
  void forward(const float* x, std::span<const Tap> rows, std::span<const Tap> columns, float* y) const;
  /// Adds dL/dx to dx, from dy = dL/dy.
  void backward(const float* dy, std::span<const Tap> rows, std::span<const Tap> columns, float* dx) const;

 private:
  std::int64_t height_, width_, channels_;
  std::vector<float> outside_;  // (channels)
};

}  // namespace lockstep
