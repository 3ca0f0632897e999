#include "core/layers/reshaping/copy_op.h"

#include <algorithm>

namespace lockstep {
namespace {

/// The same copies by as few axes as possible: an axis that goes on where the one behind it ends is a part of that one.
std::vector<CopyAxis> joined(const std::vector<CopyAxis>& axes) {
  std::vector<CopyAxis> fewest;
  for (const CopyAxis& axis : axes) {
    if (axis.length == 1) continue;
    if (!fewest.empty() && fewest.back().from == axis.length * axis.from && fewest.back().to == axis.length * axis.to) {
      fewest.back() = {fewest.back().length * axis.length, axis.from, axis.to};
    } else {
      fewest.push_back(axis);
    }
  }
  if (fewest.empty()) fewest.push_back({1, 1, 1});
  return fewest;
}

class CopyOp final : public Op {
 public:
  explicit CopyOp(const Copies& copies) : axes_(joined(copies.axes)), from_(copies.from), to_(copies.to) {
    in = copies.in;
    out = copies.out;
    std::int64_t copied = 1;
    for (const CopyAxis& axis : axes_) copied *= axis.length;
    has_zeros_ = copied < out;
  }

  void forward(const float* x, float* y, const Block& block) const override {
    if (has_zeros_) std::fill_n(y, block.rows * out, 0.F);
    for (std::int64_t r = 0; r < block.rows; ++r) copy(axes_.data(), x + r * in + from_, y + r * out + to_);
  }

  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    std::fill_n(dx, block.rows * in, 0.F);
    for (std::int64_t r = 0; r < block.rows; ++r) add(axes_.data(), dy + r * out + to_, dx + r * in + from_);
  }

 private:
  bool last(const CopyAxis* axis) const { return axis == &axes_.back(); }

  void copy(const CopyAxis* axis, const float* x, float* y) const {
    const auto [length, from, to] = *axis;
    if (!last(axis)) {
      for (std::int64_t i = 0; i < length; ++i) copy(axis + 1, x + i * from, y + i * to);
    } else if (from == 1 && to == 1) {
      std::copy_n(x, length, y);
    } else {
      for (std::int64_t i = 0; i < length; ++i) y[i * to] = x[i * from];
    }
  }

  void add(const CopyAxis* axis, const float* dy, float* dx) const {
    const auto [length, from, to] = *axis;
    if (!last(axis)) {
      for (std::int64_t i = 0; i < length; ++i) add(axis + 1, dy + i * to, dx + i * from);
    } else {
      for (std::int64_t i = 0; i < length; ++i) dx[i * from] += dy[i * to];
    }
  }

  std::vector<CopyAxis> axes_;
  std::int64_t from_, to_;
  bool has_zeros_ = false;
};

}  // namespace

std::unique_ptr<Op> copy_op(const Copies& copies) { return std::make_unique<CopyOp>(copies); }

}  // namespace lockstep
