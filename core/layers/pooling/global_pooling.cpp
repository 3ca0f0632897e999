#include "core/layers/pooling/global_pooling.h"

#include <algorithm>
#include <vector>

#include "cluster/clones.h"
#include "core/layers/window.h"

namespace lockstep {
namespace {

// A row is (pixels, channels).

LOCKSTEP_CLONES void max_forward(std::int64_t pixels, std::int64_t channels, std::int64_t rows, const float* x, float* y) {
  for (std::int64_t r = 0; r < rows; ++r, y += channels) {
    std::copy_n(x, channels, y);
    x += channels;
    for (std::int64_t p = 1; p < pixels; ++p, x += channels) {
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) y[c] = x[c] > y[c] || x[c] != x[c] ? x[c] : y[c];
    }
  }
}

/// `share`: of the gradient that each of equal values gets.
LOCKSTEP_CLONES void max_backward(std::int64_t pixels, std::int64_t channels, std::int64_t rows, const float* x, const float* y,
                                  const float* dy, float* share, float* dx) {
  for (std::int64_t r = 0; r < rows; ++r, x += pixels * channels, dx += pixels * channels, y += channels, dy += channels) {
    std::fill_n(share, channels, 0.F);
    for (std::int64_t p = 0; p < pixels; ++p) {
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) share[c] += x[p * channels + c] == y[c] ? 1.F : 0.F;
    }
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) share[c] = dy[c] / share[c];
    for (std::int64_t p = 0; p < pixels; ++p) {
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) dx[p * channels + c] = x[p * channels + c] == y[c] ? share[c] : 0.F;
    }
  }
}

LOCKSTEP_CLONES void average_forward(std::int64_t pixels, std::int64_t channels, std::int64_t rows, const float* x, float* y) {
  const auto count = static_cast<float>(pixels);
  for (std::int64_t r = 0; r < rows; ++r, y += channels) {
    std::fill_n(y, channels, 0.F);
    for (std::int64_t p = 0; p < pixels; ++p, x += channels) {
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) y[c] += x[c];
    }
#pragma omp simd
    for (std::int64_t c = 0; c < channels; ++c) y[c] /= count;
  }
}

LOCKSTEP_CLONES void average_backward(std::int64_t pixels, std::int64_t channels, std::int64_t rows, const float* dy, float* dx) {
  const auto count = static_cast<float>(pixels);
  for (std::int64_t r = 0; r < rows; ++r, dy += channels) {
    for (std::int64_t p = 0; p < pixels; ++p, dx += channels) {
#pragma omp simd
      for (std::int64_t c = 0; c < channels; ++c) dx[c] = dy[c] / count;
    }
  }
}

class GlobalMaxPoolingOp final : public Op {
 public:
  GlobalMaxPoolingOp(std::int64_t pixels, std::int64_t channels) : pixels_(pixels) {
    in = pixels * channels;
    out = channels;
  }
  void prepare(std::int64_t /*rows*/, int threads) override {
    shares_.resize(std::max(shares_.size(), static_cast<std::size_t>(threads)), std::vector<float>(static_cast<std::size_t>(out)));
  }
  Computation computation() const override { return {"own loops", static_cast<double>(in)}; }
  void forward(const float* x, float* y, const Block& block) const override { max_forward(pixels_, out, block.rows, x, y); }
  void backward(const float* x, const float* y, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) max_backward(pixels_, out, block.rows, x, y, dy, shares_[static_cast<std::size_t>(block.thread)].data(), dx);
  }

 private:
  std::int64_t pixels_;
  mutable std::vector<std::vector<float>> shares_;  // of each thread: a number for each channel
};

class GlobalAveragePoolingOp final : public Op {
 public:
  GlobalAveragePoolingOp(std::int64_t pixels, std::int64_t channels) : pixels_(pixels) {
    in = pixels * channels;
    out = channels;
  }
  Computation computation() const override { return {"own loops", static_cast<double>(in)}; }
  void forward(const float* x, float* y, const Block& block) const override { average_forward(pixels_, out, block.rows, x, y); }
  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) average_backward(pixels_, out, block.rows, dy, dx);
  }

 private:
  std::int64_t pixels_;
};

template <class PoolOp, std::size_t N, class Layer>
BuiltLayer build_global(const Layer& layer, const LayerSite& site) {
  if (const std::string wrong = wrong_window(site.input, N, {}); !wrong.empty()) throw layer_error(layer, wrong);
  const std::int64_t channels = site.input.back();
  const Shape kept = N == 1 ? Shape{1, channels} : Shape{1, 1, channels};
  BuiltLayer built{.output = layer.keepdims ? kept : Shape{channels}};
  built.ops.push_back(std::make_unique<PoolOp>(elements(site.input) / channels, channels));
  return built;
}

}  // namespace

BuiltLayer build(const GlobalMaxPooling1D& layer, const LayerSite& site) { return build_global<GlobalMaxPoolingOp, 1>(layer, site); }
BuiltLayer build(const GlobalMaxPooling2D& layer, const LayerSite& site) { return build_global<GlobalMaxPoolingOp, 2>(layer, site); }
BuiltLayer build(const GlobalAveragePooling1D& layer, const LayerSite& site) {
  return build_global<GlobalAveragePoolingOp, 1>(layer, site);
}
BuiltLayer build(const GlobalAveragePooling2D& layer, const LayerSite& site) {
  return build_global<GlobalAveragePoolingOp, 2>(layer, site);
}

}  // namespace lockstep
