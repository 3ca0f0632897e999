#include "core/layers/reshaping/up_sampling.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/host/process_limits.h"
#include "core/layers/op.h"
#include "core/layers/resampling.h"
#include "core/layers/reshaping/copy_op.h"

namespace lockstep {
namespace {

/// (height, width, channels) with every pixel repeated.
std::unique_ptr<Op> repeating_op(std::int64_t height, std::int64_t width, std::int64_t channels, const Sizes<2>& size) {
  const std::int64_t in = width * channels, out = in * size[1];  // of a line
  return copy_op({.in = height * in,
                  .out = height * size[0] * out,
                  .axes = {{height, in, size[0] * out},
                           {size[0], 0, out},
                           {width, channels, size[1] * channels},
                           {size[1], 0, channels},
                           {channels, 1, 1}}});
}

/// Pixel i of the new axis lies at (i + 0.5) / size - 0.5 of the old one, whose ends go on as they are.
std::vector<Tap> bilinear_taps(std::int64_t length, std::int64_t size) {
  std::vector<Tap> taps;
  for (std::int64_t i = 0; i < length * size; ++i) {
    const double from = (static_cast<double>(i) + 0.5) / static_cast<double>(size) - 0.5, below = std::floor(from);
    const auto first = static_cast<std::int64_t>(below);
    taps.push_back({std::max<std::int64_t>(first, 0), std::min(first + 1, length - 1), static_cast<float>(from - below)});
  }
  return taps;
}

class BilinearOp final : public Op {
 public:
  BilinearOp(std::int64_t height, std::int64_t width, std::int64_t channels, const Sizes<2>& size)
      : resampling_(height, width, channels), rows_(bilinear_taps(height, size[0])), columns_(bilinear_taps(width, size[1])) {
    in = height * width * channels;
    out = in * size[0] * size[1];
  }

  void forward(const float* x, float* y, const Block& block) const override {
    for (std::int64_t r = 0; r < block.rows; ++r) resampling_.forward(x + r * in, rows_, columns_, y + r * out);
  }

  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    std::fill_n(dx, block.rows * in, 0.F);
    for (std::int64_t r = 0; r < block.rows; ++r) resampling_.backward(dy + r * out, rows_, columns_, dx + r * in);
  }

 private:
  Resampling resampling_;
  std::vector<Tap> rows_, columns_;
};

void expect_room_for_taps(const UpSampling2D& layer, const Shape& output) {
  const double bytes = static_cast<double>(output[0] + output[1]) * sizeof(Tap);
  const MemoryRoom room = memory_room();
  if (bytes > room.bytes)
    throw layer_error(layer, fmt::format("an output of shape {} needs about {:.1f} GiB of memory for its interpolation; {} ({})",
                                         to_string(output, true), bytes / (1 << 30), room.limit, room.option));
}

}  // namespace

BuiltLayer build(const UpSampling1D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 2, "(steps, features)");
  const std::int64_t steps = site.input[0], features = site.input[1];
  const Shape output = fitting(layer, {steps * layer.size, features});
  return one_op(output, repeating_op(steps, 1, features, {layer.size, 1}));
}

BuiltLayer build(const UpSampling2D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 3, "(height, width, channels)");
  const std::int64_t height = site.input[0], width = site.input[1], channels = site.input[2];
  const Shape output = fitting(layer, {height * layer.size[0], width * layer.size[1], channels});
  if (layer.interpolation == Interpolation::nearest) return one_op(output, repeating_op(height, width, channels, layer.size));
  expect_room_for_taps(layer, output);
  return one_op(output, std::make_unique<BilinearOp>(height, width, channels, layer.size));
}

}  // namespace lockstep
