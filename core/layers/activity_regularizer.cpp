#include "core/layers/activity_regularizer.h"

#include <algorithm>

#include "cluster/clones.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

/// Of one row.
LOCKSTEP_CLONES double row_penalty(const Regularizer& regularizer, const float* y, std::int64_t count) {
  const auto l1 = static_cast<double>(regularizer.l1), l2 = static_cast<double>(regularizer.l2);
  return sum(y, y, count, [=](double a, double b) { return l1 * (a < 0 ? -a : a) + l2 * (a * b); });
}

/// dx = dy + scale (l1 sign(y) + 2 l2 y).
LOCKSTEP_CLONES void add_penalty_gradient(const Regularizer& regularizer, float scale, const float* y, const float* dy, std::int64_t count,
                                          float* dx) {
  const float l1 = scale * regularizer.l1, l2 = 2 * scale * regularizer.l2;
  map(y, dy, dx, count, [=](float value, float delta) {
    const float sign = value > 0 ? l1 : value < 0 ? -l1 : 0.F;
    return delta + (sign + l2 * value);
  });
}

class ActivityRegularizerOp final : public Op {
 public:
  ActivityRegularizerOp(const Regularizer& regularizer, std::int64_t width) : regularizer_(regularizer) { in = out = width; }

  void forward(const float* x, float* y, const Block& block) const override { std::copy_n(x, block.rows * in, y); }

  void backward(const float* x, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    for (std::int64_t r = 0; r < block.rows; ++r)
      add_penalty_gradient(regularizer_, block.has_row(r) ? block.row_scale : 0, x + r * in, dy + r * in, in, dx + r * in);
  }

  bool has_penalty() const override { return true; }
  double penalty(const float* y, const Block& block) const override {
    double total = 0;
    for (std::int64_t r = 0; r < block.rows; ++r) total += block.has_row(r) ? row_penalty(regularizer_, y + r * in, in) : 0;
    return total;
  }

 private:
  Regularizer regularizer_;
};

}  // namespace

std::unique_ptr<Op> activity_regularizer_op(const Regularizer& regularizer, std::int64_t width) {
  return std::make_unique<ActivityRegularizerOp>(regularizer, width);
}

void add_activity_regularizer(const Regularizer& regularizer, BuiltLayer& layer) {
  if (regularizer.l1 == 0 && regularizer.l2 == 0) return;
  layer.ops.push_back(activity_regularizer_op(regularizer, elements(layer.output)));
}

}  // namespace lockstep
