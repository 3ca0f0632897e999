#include "core/layers/preprocessing/rescaling.h"

#include <algorithm>

#include "cluster/clones.h"
#include "core/layers/broadcast.h"
#include "core/layers/op.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

class RescalingOp final : public Op {
 public:
  RescalingOp(float scale, float offset, std::int64_t elements) : scale_(scale), offset_(offset) { in = out = elements; }
  void forward(const float* x, float* y, const Block& block) const override { affine(x, y, block.rows * in, scale_, offset_); }
  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) affine(dy, dx, block.rows * in, scale_, 0);
  }
  std::optional<ScaleAndOffset> scale_and_offset() const override { return ScaleAndOffset{scale_, offset_}; }

 private:
  float scale_, offset_;
};

LOCKSTEP_CLONES void multiply_and_add(const float* x, const float* scale, const float* offset, std::int64_t count, float* y) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * scale[i] + offset[i];
}

/// The same with numbers of its own for each element of a row.
class ElementRescalingOp final : public Op {
 public:
  ElementRescalingOp(std::vector<float> scale, std::vector<float> offset)
      : scale_(std::move(scale)), offset_(std::move(offset)), zeros_(offset_.size()) {
    in = out = static_cast<std::int64_t>(scale_.size());
  }
  void forward(const float* x, float* y, const Block& block) const override {
    for (std::int64_t r = 0; r < block.rows; ++r) multiply_and_add(x + r * in, scale_.data(), offset_.data(), in, y + r * in);
  }
  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    for (std::int64_t r = 0; r < block.rows; ++r) multiply_and_add(dy + r * in, scale_.data(), zeros_.data(), in, dx + r * in);
  }

 private:
  std::vector<float> scale_, offset_, zeros_;
};

/// One of the numbers for every element of a row.
std::vector<float> spread(const Rescaling& layer, const char* name, const Numbers& numbers, const Shape& row) {
  Shape small(row.size(), 1);
  bool fits = !numbers.empty() && numbers.shape.size() <= row.size();
  if (fits) std::copy(numbers.shape.begin(), numbers.shape.end(), small.end() - static_cast<std::ptrdiff_t>(numbers.shape.size()));
  for (std::size_t axis = 0; axis < row.size(); ++axis) fits = fits && (small[axis] == 1 || small[axis] == row[axis]);
  if (!fits) {
    throw layer_error(layer, name + (" has the shape " + to_string(numbers.shape)) + ", which does not fit its input " +
                                 to_string(row, true) + "; give one number, or one for each index of the last axis");
  }
  const Broadcast broadcast(row, small);
  std::vector<float> values(static_cast<std::size_t>(elements(row)));
  for (const auto& [first, length, element] : broadcast.runs()) {
    float* const to = values.data() + first;
    const float* const from = numbers.values.data() + element;
    if (broadcast.shared())
      std::fill_n(to, length, *from);
    else
      std::copy_n(from, length, to);
  }
  return values;
}

}  // namespace

BuiltLayer build(const Rescaling& layer, const LayerSite& site) {
  if (layer.scale.values.size() == 1 && layer.offset.values.size() == 1)
    return same_shape(site, std::make_unique<RescalingOp>(layer.scale.values[0], layer.offset.values[0], elements(site.input)));
  return same_shape(site, std::make_unique<ElementRescalingOp>(spread(layer, "scale", layer.scale, site.input),
                                                               spread(layer, "offset", layer.offset, site.input)));
}

}  // namespace lockstep
