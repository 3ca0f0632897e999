#include "core/layers/resampling.h"

#include <algorithm>
#include <array>

#include "cluster/clones.h"

namespace lockstep {
namespace {

/// The four pixels that a pixel comes from, first row first, and their weights.
template <class Pixel, class Use>
[[gnu::always_inline]] inline void for_four(const Tap& row, const Tap& column, const Pixel& pixel, const Use& use) {
  const std::array<float, 4> weights = {(1 - row.weight) * (1 - column.weight), (1 - row.weight) * column.weight,
                                        row.weight * (1 - column.weight), row.weight * column.weight};
  use(std::array{pixel(row.first, column.first), pixel(row.first, column.second), pixel(row.second, column.first),
                 pixel(row.second, column.second)},
      weights);
}

LOCKSTEP_CLONES void blend(const std::array<const float*, 4>& from, const std::array<float, 4>& weights, std::int64_t channels, float* y) {
  const auto [a, b, c, d] = from;
  const auto [p, q, r, s] = weights;
#pragma omp simd
  for (std::int64_t i = 0; i < channels; ++i) y[i] = (p * a[i] + q * b[i]) + (r * c[i] + s * d[i]);
}

LOCKSTEP_CLONES void add_scaled(const float* dy, float weight, std::int64_t channels, float* dx) {
#pragma omp simd
  for (std::int64_t i = 0; i < channels; ++i) dx[i] += weight * dy[i];
}

}  // namespace

Resampling::Resampling(std::int64_t height, std::int64_t width, std::int64_t channels, float outside)
    : height_(height), width_(width), channels_(channels), outside_(static_cast<std::size_t>(channels), outside) {}

void Resampling::forward(const float* x, std::span<const Tap> rows, std::span<const Tap> columns, float* y) const {
  const auto pixel = [&](std::int64_t row, std::int64_t column) {
    return row < 0 || column < 0 ? outside_.data() : x + (row * width_ + column) * channels_;
  };
  for (const Tap& row : rows) {
    for (const Tap& column : columns) {
      if (row.weight == 0 && column.weight == 0) {
        std::copy_n(pixel(row.first, column.first), channels_, y);
      } else {
        for_four(row, column, pixel, [&](const auto& from, const auto& weights) { blend(from, weights, channels_, y); });
      }
      y += channels_;
    }
  }
}

void Resampling::backward(const float* dy, std::span<const Tap> rows, std::span<const Tap> columns, float* dx) const {
  const auto pixel = [&](std::int64_t row, std::int64_t column) -> float* {
    return row < 0 || column < 0 ? nullptr : dx + (row * width_ + column) * channels_;
  };
  for (const Tap& row : rows) {
    for (const Tap& column : columns) {
      for_four(row, column, pixel, [&](const auto& to, const auto& weights) {
        for (std::size_t i = 0; i < 4; ++i) {
          if (to[i] != nullptr && weights[i] != 0) add_scaled(dy, weights[i], channels_, to[i]);
        }
      });
      dy += channels_;
    }
  }
}

}  // namespace lockstep
