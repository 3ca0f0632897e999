#include "core/layers/pooling/pooling.h"

#include <algorithm>
#include <vector>

#include "cluster/clones.h"
#include "core/layers/fusion/relu.h"
#include "core/layers/pooling/max_kernels.h"
#include "core/layers/window.h"

namespace lockstep {
namespace {

// A row is (height, width, channels). First the lines that an output line sees are brought together, then its columns: the inner loops run
// over a whole line, or over the channels of a pixel.

LOCKSTEP_CLONES void average_forward(const Window2D& w, std::int64_t channels, std::int64_t rows, const float* x, float* line, float* y) {
  const std::int64_t width = w.width.in * channels;
  for (std::int64_t r = 0; r < rows; ++r, x += w.height.in * width) {
    for (std::int64_t i = 0; i < w.height.out; ++i) {
      const SeenElements lines = seen(w.height, i);
      std::copy_n(x + lines.first * width, width, line);
      for (std::int64_t l = lines.first + 1; l < lines.last; ++l) {
        const float* const from = x + l * width;
#pragma omp simd
        for (std::int64_t k = 0; k < width; ++k) line[k] += from[k];
      }
      for (std::int64_t j = 0; j < w.width.out; ++j, y += channels) {
        const SeenElements columns = seen(w.width, j);
        const auto count = static_cast<float>(lines.count() * columns.count());
        for (std::int64_t c = 0; c < channels; ++c) y[c] = 0;
        for (std::int64_t column = columns.first; column < columns.last; ++column) {
          const float* const from = line + column * channels;
#pragma omp simd
          for (std::int64_t c = 0; c < channels; ++c) y[c] += from[c];
        }
#pragma omp simd
        for (std::int64_t c = 0; c < channels; ++c) y[c] /= count;
      }
    }
  }
}

LOCKSTEP_CLONES void average_backward(const Window2D& w, std::int64_t channels, std::int64_t rows, const float* dy, float* line,
                                      float* dx) {
  const std::int64_t width = w.width.in * channels, size = w.height.in * width;
  std::fill_n(dx, rows * size, 0.F);
  for (std::int64_t r = 0; r < rows; ++r, dx += size) {
    for (std::int64_t i = 0; i < w.height.out; ++i) {
      const SeenElements lines = seen(w.height, i);
      std::fill_n(line, width, 0.F);
      for (std::int64_t j = 0; j < w.width.out; ++j, dy += channels) {
        const SeenElements columns = seen(w.width, j);
        const auto count = static_cast<float>(lines.count() * columns.count());
        for (std::int64_t column = columns.first; column < columns.last; ++column) {
          float* const to = line + column * channels;
#pragma omp simd
          for (std::int64_t c = 0; c < channels; ++c) to[c] += dy[c] / count;
        }
      }
      for (std::int64_t l = lines.first; l < lines.last; ++l) {
        float* const to = dx + l * width;
#pragma omp simd
        for (std::int64_t k = 0; k < width; ++k) to[k] += line[k];
      }
    }
  }
}

class PoolingOp : public Op {
 public:
  PoolingOp(const Window2D& window, std::int64_t channels) : window_(window), channels_(channels) {
    in = window.height.in * window.width.in * channels;
    out = window.positions() * channels;
  }

  void prepare(std::int64_t /*rows*/, int threads) override {
    lines_.resize(std::max(lines_.size(), static_cast<std::size_t>(threads)),
                  std::vector<float>(static_cast<std::size_t>(window_.width.in * channels_)));
  }
  Computation computation() const override {
    return {"own loops", static_cast<double>(out) * static_cast<double>(window_.height.window * window_.width.window)};
  }

 protected:
  float* line(const Block& block) const { return lines_[static_cast<std::size_t>(block.thread)].data(); }

  Window2D window_;
  std::int64_t channels_;

 private:
  mutable std::vector<std::vector<float>> lines_;  // of each thread: a line of the input
};

class MaxPoolingOp final : public PoolingOp, public TakesRelu {
 public:
  using PoolingOp::PoolingOp;
  void forward(const float* x, float* y, const Block& block) const override {
    max_forward(window_, channels_, relu_, block.rows, x, line(block), y);
  }
  void backward(const float* x, const float* y, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) max_backward(window_, channels_, relu_, block.rows, x, y, dy, line(block), dx);
  }
  bool take_relu_before() override { return relu_ = true; }
  std::optional<ActivationFunction> activation() const override { return relu_ ? std::optional(relu) : std::nullopt; }

 private:
  bool relu_ = false;  // of the inputs: relu does not change which one is the largest
};

class AveragePoolingOp final : public PoolingOp {
 public:
  using PoolingOp::PoolingOp;
  void forward(const float* x, float* y, const Block& block) const override {
    average_forward(window_, channels_, block.rows, x, line(block), y);
  }
  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) average_backward(window_, channels_, block.rows, dy, line(block), dx);
  }
};

template <class PoolOp, class Layer, std::size_t N>
BuiltLayer build_pooling(const Layer& layer, const Sizes<N>& size, const LayerSite& site) {
  check_padding(layer);
  const Window2D window = window_of(layer, site.input, WindowSettings<N>{size, layer.strides.value_or(size), 1, layer.padding});
  BuiltLayer built{.output = fitting(layer, shape_after(window, N, site.input.back()))};
  built.ops.push_back(std::make_unique<PoolOp>(window, site.input.back()));
  return built;
}

}  // namespace

BuiltLayer build(const MaxPooling1D& layer, const LayerSite& site) { return build_pooling<MaxPoolingOp>(layer, layer.pool_size, site); }
BuiltLayer build(const MaxPooling2D& layer, const LayerSite& site) { return build_pooling<MaxPoolingOp>(layer, layer.pool_size, site); }
BuiltLayer build(const AveragePooling1D& layer, const LayerSite& site) {
  return build_pooling<AveragePoolingOp>(layer, layer.pool_size, site);
}
BuiltLayer build(const AveragePooling2D& layer, const LayerSite& site) {
  return build_pooling<AveragePoolingOp>(layer, layer.pool_size, site);
}

}  // namespace lockstep
