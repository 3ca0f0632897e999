#include "core/layers/regularization/dropout.h"

#include <algorithm>

#include "core/layers/op.h"
#include "core/math/philox.h"

namespace lockstep {
namespace {

/// The mask is computed anew in backward: a function of (seed, layer, step, slot, element) needs no memory.
class DropoutOp final : public Op {
 public:
  DropoutOp(const Dropout& layer, std::int64_t elements, std::uint64_t seed, std::uint32_t id)
      : rate_(layer.rate), random_(layer.seed.value_or(seed), RandomPurpose::dropout, id) {
    in = out = elements;
  }
  void forward(const float* x, float* y, const Block& block) const override {
    if (!block.training || rate_ == 0) {
      std::copy_n(x, block.rows * in, y);
      return;
    }
    mask(x, y, block);
  }
  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    if (!block.training || rate_ == 0) {
      std::copy_n(dy, block.rows * in, dx);
      return;
    }
    mask(dy, dx, block);
  }

 private:
  void mask(const float* x, float* y, const Block& block) const {
    const float scale = rate_ < 1 ? 1 / (1 - rate_) : 0;
    const std::int64_t blocks = (in + 3) / 4;
    for (std::int64_t r = 0; r < block.rows; ++r) {
      for (std::int64_t b = 0; b < blocks; ++b) {
        const PhiloxBlock words =
            random_.block(static_cast<std::uint64_t>(block.step), static_cast<std::uint64_t>((block.first_slot + r) * blocks + b));
        const std::int64_t end = std::min<std::int64_t>(4, in - 4 * b);
        for (std::int64_t e = 0; e < end; ++e) {
          const std::int64_t i = r * in + 4 * b + e;
          y[i] = uniform(words[static_cast<std::size_t>(e)]) >= rate_ ? x[i] * scale : 0;
        }
      }
    }
  }

  float rate_;
  RandomStream random_;
};

}  // namespace

BuiltLayer build(const Dropout& layer, const LayerSite& site) {
  return same_shape(site, std::make_unique<DropoutOp>(layer, elements(site.input), site.seed, static_cast<std::uint32_t>(site.index)));
}

}  // namespace lockstep
