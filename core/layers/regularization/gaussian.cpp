#include "core/layers/regularization/gaussian.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <numbers>

#include "core/layers/op.h"
#include "core/math/philox.h"

namespace lockstep {
namespace {

/// Four standard normal numbers by Box and Muller.
std::array<float, 4> normal(const PhiloxBlock& words) {
  std::array<float, 4> numbers{};
  for (const std::size_t i : {0U, 2U}) {
    const double radius = std::sqrt(-2 * std::log((words[i] + 0.5) * 0x1p-32));  // of (0, 1): the log is finite
    const double angle = 2 * std::numbers::pi * (words[i + 1] * 0x1p-32);
    numbers[i] = static_cast<float>(radius * std::cos(angle));
    numbers[i + 1] = static_cast<float>(radius * std::sin(angle));
  }
  return numbers;
}

/// y = x * (1 + factor * normal number) + term * normal number in training.
class GaussianOp final : public Op {
 public:
  GaussianOp(float factor, float term, std::optional<std::uint64_t> seed, const LayerSite& site)
      : factor_(factor), term_(term), random_(seed.value_or(site.seed), RandomPurpose::dropout, static_cast<std::uint32_t>(site.index)) {
    in = out = elements(site.input);
  }
  void forward(const float* x, float* y, const Block& block) const override { apply(x, term_, y, block); }
  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) apply(dy, 0, dx, block);
  }

 private:
  void apply(const float* x, float term, float* y, const Block& block) const {
    if (!block.training || (factor_ == 0 && term == 0)) {
      std::copy_n(x, block.rows * in, y);
      return;
    }
    const std::int64_t blocks = (in + 3) / 4;
    for (std::int64_t r = 0; r < block.rows; ++r, x += in, y += in) {
      for (std::int64_t b = 0; b < blocks; ++b) {
        const std::array<float, 4> z =
            normal(random_.block(static_cast<std::uint64_t>(block.step), static_cast<std::uint64_t>((block.first_slot + r) * blocks + b)));
        const std::int64_t end = std::min(4 * b + 4, in);
        for (std::int64_t i = 4 * b; i < end; ++i) {
          const float number = z[static_cast<std::size_t>(i - 4 * b)];
          y[i] = x[i] * (1 + factor_ * number) + term * number;
        }
      }
    }
  }

  float factor_, term_;
  RandomStream random_;
};

}  // namespace

BuiltLayer build(const GaussianNoise& layer, const LayerSite& site) {
  return same_shape(site, std::make_unique<GaussianOp>(0.F, layer.stddev, layer.seed, site));
}

BuiltLayer build(const GaussianDropout& layer, const LayerSite& site) {
  return same_shape(site, std::make_unique<GaussianOp>(std::sqrt(layer.rate / (1 - layer.rate)), 0.F, layer.seed, site));
}

}  // namespace lockstep
