#include "core/layers/activation.h"

#include <algorithm>
#include <limits>

#include "cluster/clones.h"
#include "core/layers/fusion/relu.h"
#include "core/layers/op.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

class ActivationOp final : public Op, public LeavesRelu {
 public:
  ActivationOp(ActivationFunction function, std::int64_t elements, std::int64_t last_axis) : function_(function), last_axis_(last_axis) {
    in = out = elements;
  }
  void forward(const float* x, float* y, const Block& block) const override {
    if (block.logits) {
      std::copy_n(x, block.rows * in, y);
      return;
    }
    activate(function_, x, y, block.rows * (in / last_axis_), last_axis_);
  }
  void backward(const float* x, const float* y, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    if (block.logits) {
      std::copy_n(dy, block.rows * in, dx);
      return;
    }
    activation_gradient(function_, x, y, dy, dx, block.rows * (in / last_axis_), last_axis_);
  }
  std::optional<ActivationFunction> activation() const override { return function_; }
  std::int64_t activation_width() const override { return last_axis_; }
  bool ends_in_relu() const override { return function_ == relu; }
  void leave_relu() override { function_ = linear; }
  bool only_activates() const override { return true; }

 private:
  ActivationFunction function_;
  std::int64_t last_axis_;
};

/// x > threshold ? min(x, most) : slope (x - threshold); NaN stays NaN. The derivative at the two corners is Keras' on JAX.
struct Rectifier {
  float slope, threshold, most;
  float at_threshold, at_most;  // derivatives
};

Rectifier rectifier_of(const ReLU& layer) {
  const bool leaky = !layer.max_value && layer.threshold == 0 && layer.negative_slope != 0;  // jax.nn.leaky_relu
  const bool relu6 = layer.max_value == 6.F && layer.threshold == 0;                         // jax.nn.relu6
  Rectifier by{layer.negative_slope, layer.threshold, layer.max_value.value_or(std::numeric_limits<float>::infinity()), 0, 0.5F};
  if (leaky) by.at_threshold = 1;
  if (relu6) by.at_most = 0;  // elsewhere jax.numpy.clip, which shares the gradient between equal numbers
  if (!layer.max_value) by.at_most = 1;
  return by;
}

LOCKSTEP_CLONES void rectify(const Rectifier& by, const float* x, float* y, std::int64_t count) {
  const float slope = by.slope, threshold = by.threshold, most = by.most;
  map(x, y, count, [=](float v) {
    const float below = slope == 0 ? 0 : slope * (v - threshold), above = v > most ? most : v;  // 0 also at -inf
    return v <= threshold ? below : above;
  });
}

LOCKSTEP_CLONES void rectify_gradient(const Rectifier& by, const float* x, const float* dy, float* dx, std::int64_t count) {
  const auto [slope, threshold, most, at_threshold, at_most] = by;
  map(x, dy, dx, count, [=](float v, float d) {
    const float corner = v == most ? at_most * d : 0, above = v < most ? d : corner, below = v < threshold ? slope * d : at_threshold * d;
    return v <= threshold ? below : above;
  });
}

class RectifierOp final : public Op {
 public:
  RectifierOp(const Rectifier& rectifier, std::int64_t elements) : rectifier_(rectifier) { in = out = elements; }
  void forward(const float* x, float* y, const Block& block) const override { rectify(rectifier_, x, y, block.rows * in); }
  void backward(const float* x, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) rectify_gradient(rectifier_, x, dy, dx, block.rows * in);
  }
  std::optional<ActivationFunction> activation() const override { return relu; }

 private:
  Rectifier rectifier_;
};

LOCKSTEP_CLONES void exponential_below_zero(float alpha, const float* x, float* y, std::int64_t count) {
  map(x, y, count, [alpha](float v) {
    const auto below = static_cast<float>(alpha * exponential_minus_one(v));
    return v > 0 ? v : below;
  });
}

LOCKSTEP_CLONES void exponential_below_zero_gradient(float alpha, const float* x, const float* dy, float* dx, std::int64_t count) {
  map(x, dy, dx, count, [alpha](float v, float d) {
    const auto below = static_cast<float>(d * alpha * exponential_of(v));
    return v > 0 ? d : below;
  });
}

class EluOp final : public Op {
 public:
  EluOp(float alpha, std::int64_t elements) : alpha_(alpha) { in = out = elements; }
  void forward(const float* x, float* y, const Block& block) const override { exponential_below_zero(alpha_, x, y, block.rows * in); }
  void backward(const float* x, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) exponential_below_zero_gradient(alpha_, x, dy, dx, block.rows * in);
  }
  std::optional<ActivationFunction> activation() const override { return elu; }

 private:
  float alpha_;
};

/// Up to this many neighbours along the inner axis are computed side by side.
constexpr std::int64_t kLanes = 16;

/// Softmax of x[k * inner + lane] over k < count, for `lanes` lanes.
LOCKSTEP_CLONES void softmax_lanes(const float* x, float* y, std::int64_t count, std::int64_t inner, std::int64_t lanes) {
  double top[kLanes], total[kLanes] = {};
  std::fill_n(top, kLanes, -std::numeric_limits<double>::infinity());
  for (std::int64_t k = 0; k < count; ++k) {
#pragma omp simd
    for (std::int64_t i = 0; i < lanes; ++i) top[i] = x[k * inner + i] > top[i] ? x[k * inner + i] : top[i];
  }
  for (std::int64_t k = 0; k < count; ++k) {
#pragma omp simd
    for (std::int64_t i = 0; i < lanes; ++i) {
      const double e = exponential_of(x[k * inner + i] - top[i]);
      total[i] += e;
      y[k * inner + i] = static_cast<float>(e);
    }
  }
  for (std::int64_t k = 0; k < count; ++k) {
#pragma omp simd
    for (std::int64_t i = 0; i < lanes; ++i) y[k * inner + i] = static_cast<float>(y[k * inner + i] / total[i]);
  }
}

/// dx = y (dy - sum(dy y)) of the same lanes.
LOCKSTEP_CLONES void softmax_lanes_gradient(const float* y, const float* dy, float* dx, std::int64_t count, std::int64_t inner,
                                            std::int64_t lanes) {
  double dot[kLanes] = {};
  for (std::int64_t k = 0; k < count; ++k) {
#pragma omp simd
    for (std::int64_t i = 0; i < lanes; ++i) dot[i] += static_cast<double>(y[k * inner + i]) * dy[k * inner + i];
  }
  for (std::int64_t k = 0; k < count; ++k) {
#pragma omp simd
    for (std::int64_t i = 0; i < lanes; ++i) dx[k * inner + i] = static_cast<float>(y[k * inner + i] * (dy[k * inner + i] - dot[i]));
  }
}

/// Softmax over the middle of (outer, count, inner).
class SoftmaxOp final : public Op {
 public:
  SoftmaxOp(std::int64_t outer, std::int64_t count, std::int64_t inner) : outer_(outer), count_(count), inner_(inner) {
    in = out = outer * count * inner;
  }
  void forward(const float* x, float* y, const Block& block) const override {
    for_each_lanes(block, [&](std::int64_t first, std::int64_t lanes) { softmax_lanes(x + first, y + first, count_, inner_, lanes); });
  }
  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    for_each_lanes(block, [&](std::int64_t first, std::int64_t lanes) {
      softmax_lanes_gradient(y + first, dy + first, dx + first, count_, inner_, lanes);
    });
  }
  std::optional<ActivationFunction> activation() const override { return linear; }  // a row is no distribution

 private:
  template <class Work>
  void for_each_lanes(const Block& block, const Work& work) const {
    for (std::int64_t o = 0; o < block.rows * outer_; ++o) {
      for (std::int64_t i = 0; i < inner_; i += kLanes) work(o * count_ * inner_ + i, std::min(kLanes, inner_ - i));
    }
  }

  std::int64_t outer_, count_, inner_;
};

/// Axes of a row from `first` to below `last`.
struct AxisRange {
  std::size_t first, last;
};

AxisRange softmax_axes(const Softmax& layer, const Shape& input) {
  const auto axes = static_cast<std::int64_t>(input.size()) + 1;
  std::vector<std::int64_t> positive;
  for (const std::int64_t axis : layer.axis) positive.push_back(axis < 0 ? axis + axes : axis);
  std::sort(positive.begin(), positive.end());
  bool side_by_side = !positive.empty() && positive.front() >= 1 && positive.back() < axes;
  for (std::size_t i = 1; i < positive.size(); ++i) side_by_side = side_by_side && positive[i] == positive[i - 1] + 1;
  if (side_by_side) return {static_cast<std::size_t>(positive.front() - 1), static_cast<std::size_t>(positive.back())};
  throw layer_error(layer, "axis " + to_string(layer.axis) + " is none of its input " + to_string(input, true) +
                               "; give one between 1 and " + std::to_string(axes - 1) +
                               ", or a negative one, or several that lie side by side");
}

}  // namespace

BuiltLayer build(const Activation& layer, const LayerSite& site) {
  const std::int64_t last_axis = site.input.empty() ? 1 : site.input.back();
  return same_shape(site, std::make_unique<ActivationOp>(layer.function, elements(site.input), last_axis));
}

BuiltLayer build(const ReLU& layer, const LayerSite& site) {
  return same_shape(site, std::make_unique<RectifierOp>(rectifier_of(layer), elements(site.input)));
}

BuiltLayer build(const LeakyReLU& layer, const LayerSite& site) { return build(ReLU{.negative_slope = layer.negative_slope}, site); }

BuiltLayer build(const ELU& layer, const LayerSite& site) {
  return same_shape(site, std::make_unique<EluOp>(layer.alpha, elements(site.input)));
}

BuiltLayer build(const Softmax& layer, const LayerSite& site) {
  const auto [first, last] = softmax_axes(layer, site.input);
  const auto product = [&](std::size_t begin, std::size_t end) {
    std::int64_t count = 1;
    for (std::size_t axis = begin; axis < end; ++axis) count *= site.input[axis];
    return count;
  };
  const std::int64_t outer = product(0, first), count = product(first, last), inner = product(last, site.input.size());
  if (inner == 1) return same_shape(site, std::make_unique<ActivationOp>(softmax, elements(site.input), count));
  return same_shape(site, std::make_unique<SoftmaxOp>(outer, count, inner));
}

}  // namespace lockstep
