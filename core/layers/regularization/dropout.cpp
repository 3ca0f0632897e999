#include "core/layers/regularization/dropout.h"

#include <algorithm>

#include "cluster/clones.h"
#include "core/layers/broadcast.h"
#include "core/layers/op.h"
#include "core/math/philox.h"

namespace lockstep {
namespace {

/// y = x * mask where the mask is not 0, else 0: a dropped value that is not finite leaves no trace.
LOCKSTEP_CLONES void mask_values(const float* x, const float* mask, std::int64_t count, float* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) y[i] = mask[i] != 0 ? x[i] * mask[i] : 0;
}

LOCKSTEP_CLONES void mask_values(const float* x, float mask, std::int64_t count, float* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) y[i] = mask != 0 ? x[i] * mask : 0;
}

/// The shape of a mask.
struct MaskShape {
  Shape row;              ///< of a row's mask: the axes of the input, or 1
  bool every_row = true;  ///< false: all rows of a batch have one mask
};

/// The mask is computed anew in backward: a function of (seed, layer, step, slot, element) needs no memory.
class DropoutOp final : public Op {
 public:
  DropoutOp(float rate, std::optional<std::uint64_t> seed, const MaskShape& mask, const LayerSite& site)
      : rate_(rate),
        random_(seed.value_or(site.seed), RandomPurpose::dropout, static_cast<std::uint32_t>(site.index)),
        broadcast_(site.input, mask.row),
        every_row_(mask.every_row),
        mask_width_(elements(mask.row)) {
    in = out = elements(site.input);
  }

  void prepare(std::int64_t /*rows*/, int threads) override {
    const auto width = static_cast<std::size_t>(mask_width_) * static_cast<std::size_t>(threads);
    if (masks_.size() < width) masks_.resize(width);
  }

  void forward(const float* x, float* y, const Block& block) const override { drop(x, y, block); }
  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) drop(dy, dx, block);
  }

 private:
  void drop(const float* x, float* y, const Block& block) const {
    if (!block.training || rate_ == 0) {
      std::copy_n(x, block.rows * in, y);
      return;
    }
    float* const mask = masks_.data() + block.thread * mask_width_;
    for (std::int64_t r = 0; r < block.rows; ++r, x += in, y += in) {
      if (every_row_ || r == 0) write_mask(block.step, every_row_ ? block.first_slot + r : 0, mask);
      for (const auto& [first, length, element] : broadcast_.runs()) {
        if (broadcast_.shared())
          mask_values(x + first, mask[element], length, y + first);
        else
          mask_values(x + first, mask + element, length, y + first);
      }
    }
  }

  void write_mask(std::int64_t step, std::int64_t slot, float* mask) const {
    const float scale = rate_ < 1 ? 1 / (1 - rate_) : 0;
    const std::int64_t blocks = (mask_width_ + 3) / 4;
    for (std::int64_t b = 0; b < blocks; ++b) {
      const PhiloxBlock words = random_.block(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(slot * blocks + b));
      const std::int64_t end = std::min<std::int64_t>(4, mask_width_ - 4 * b);
      for (std::int64_t e = 0; e < end; ++e) mask[4 * b + e] = uniform(words[static_cast<std::size_t>(e)]) >= rate_ ? scale : 0;
    }
  }

  float rate_;
  RandomStream random_;
  Broadcast broadcast_;
  bool every_row_;
  std::int64_t mask_width_;
  mutable std::vector<float> masks_;  // (threads, mask width): of the row that a thread works on
};

MaskShape mask_shape(const Dropout& layer, const Shape& input) {
  const auto& given = layer.noise_shape;
  if (given.empty()) return {input};
  bool fits = given.size() == input.size() + 1 && given[0].value_or(1) == 1;
  Shape row;
  for (std::size_t axis = 0; fits && axis < input.size(); ++axis) {
    row.push_back(given[axis + 1].value_or(input[axis]));
    fits = row.back() == 1 || row.back() == input[axis];
  }
  if (fits) return {row, !given[0].has_value()};
  throw layer_error(layer, "noise_shape does not fit its input " + to_string(input, true) +
                               "; give for each of these axes 1, its own length or none, and 1 or none for the batch");
}

template <class Layer>
BuiltLayer dropout(const Layer& layer, const MaskShape& mask, const LayerSite& site) {
  return same_shape(site, std::make_unique<DropoutOp>(layer.rate, layer.seed, mask, site));
}

}  // namespace

BuiltLayer build(const Dropout& layer, const LayerSite& site) { return dropout(layer, mask_shape(layer, site.input), site); }

BuiltLayer build(const SpatialDropout1D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 2, "(steps, features)");
  return dropout(layer, {{1, site.input[1]}}, site);
}

BuiltLayer build(const SpatialDropout2D& layer, const LayerSite& site) {
  expect_axes(layer, site.input, 3, "(height, width, channels)");
  return dropout(layer, {{1, 1, site.input[2]}}, site);
}

}  // namespace lockstep
