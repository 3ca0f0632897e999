#include "core/layers/prelu.h"

#include <algorithm>
#include <array>

#include "cluster/clones.h"
#include "core/layers/broadcast.h"
#include "core/layers/op.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

/// alpha[i * step], where step is 0 or 1.
template <class Function>
[[gnu::always_inline]] inline void for_each(std::int64_t count, const float* alpha, bool shared, const Function& f) {
  if (shared) {
    const float one = *alpha;
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) f(i, one);
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) f(i, alpha[i]);
  }
}

LOCKSTEP_CLONES void leak(const float* x, const float* alpha, bool shared, std::int64_t count, float* y) {
  for_each(count, alpha, shared, [=](std::int64_t i, float a) { y[i] = x[i] > 0 ? x[i] : a * x[i]; });
}

/// As Keras, whose gradient is 0 at 0.
LOCKSTEP_CLONES void leak_gradient(const float* x, const float* dy, const float* alpha, bool shared, std::int64_t count, float* dx) {
  for_each(count, alpha, shared, [=](std::int64_t i, float a) {
    const float slope = x[i] < 0 ? a : 0;
    dx[i] = x[i] > 0 ? dy[i] : slope * dy[i];
  });
}

/// Products x dy where x is below 0.
LOCKSTEP_CLONES double sum_below_zero(const float* x, const float* dy, std::int64_t count) {
  return sum(x, dy, count, [](float v, float d) { return v < 0 ? static_cast<double>(v) * d : 0.0; });
}

LOCKSTEP_CLONES void add_below_zero(const float* x, const float* dy, std::int64_t count, double* sums) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) sums[i] += x[i] < 0 ? static_cast<double>(x[i]) * dy[i] : 0.0;
}

class PReluOp final : public Op {
 public:
  PReluOp(const PReLU& layer, const Shape& input, const Shape& alpha) : broadcast_(input, alpha), by_element_(broadcast_.runs()) {
    in = out = elements(input);
    weights_.push_back({"alpha", alpha, layer.alpha_initializer, layer.alpha_regularizer, layer.alpha_constraint});
    std::stable_sort(by_element_.begin(), by_element_.end(), [](const auto& a, const auto& b) { return a.element < b.element; });
  }

  void forward(const float* x, float* y, const Block& block) const override {
    for (std::int64_t r = 0; r < block.rows; ++r, x += in, y += in) {
      for (const auto& [first, length, element] : broadcast_.runs())
        leak(x + first, alpha() + element, broadcast_.shared(), length, y + first);
    }
  }

  void backward(const float* x, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    for (std::int64_t r = 0; r < block.rows; ++r, x += in, dy += in, dx += in) {
      for (const auto& [first, length, element] : broadcast_.runs())
        leak_gradient(x + first, dy + first, alpha() + element, broadcast_.shared(), length, dx + first);
    }
  }

  void gradient(const float* x, const float* dy, const Block& block, VariableRange /*part*/, float* to) const override {
    for (auto run = by_element_.begin(); run != by_element_.end();) {
      const auto end = std::find_if(run, by_element_.end(), [&](const auto& other) { return other.element != run->element; });
      gradient_of({run, end}, x, dy, block.rows, to + run->element);
      run = end;
    }
  }

  /// The same in a block of any size.
  bool row_count_invariant() const override { return true; }

 private:
  /// Of the elements that these runs have in common.
  void gradient_of(std::span<const Broadcast::Run> runs, const float* x, const float* dy, std::int64_t rows, float* to) const {
    constexpr std::int64_t kSome = 64;
    const std::int64_t count = broadcast_.shared() ? 1 : runs[0].length;
    for (std::int64_t start = 0; start < count; start += kSome) {
      const std::int64_t some = std::min(kSome, count - start);
      std::array<double, kSome> sums{};
      for (std::int64_t r = 0; r < rows; ++r) {
        for (const Broadcast::Run& run : runs) {
          const std::int64_t from = r * in + run.first + start;
          if (broadcast_.shared())
            sums[0] += sum_below_zero(x + from, dy + from, run.length);
          else
            add_below_zero(x + from, dy + from, some, sums.data());
        }
      }
      std::transform(sums.data(), sums.data() + some, to + start, [](double value) { return static_cast<float>(value); });
    }
  }

  const float* alpha() const { return parameters() + weights_[0].offset; }

  Broadcast broadcast_;
  std::vector<Broadcast::Run> by_element_;
};

}  // namespace

BuiltLayer build(const PReLU& layer, const LayerSite& site) {
  Shape alpha = site.input;
  for (const std::int64_t axis : layer.shared_axes) {
    if (axis < 1 || axis > static_cast<std::int64_t>(alpha.size())) {
      throw layer_error(layer, "axis " + std::to_string(axis) + " of shared_axes is none of its input " + to_string(site.input, true) +
                                   "; give axes between 1 and " + std::to_string(alpha.size()));
    }
    alpha[static_cast<std::size_t>(axis - 1)] = 1;
  }
  return same_shape(site, std::make_unique<PReluOp>(layer, site.input, alpha));
}

}  // namespace lockstep
