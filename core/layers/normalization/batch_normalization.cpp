#include "core/layers/normalization/batch_normalization.h"

#include <algorithm>
#include <cmath>
#include <cstring>

#include "cluster/clones.h"
#include "core/layers/fusion/relu.h"
#include "core/layers/op.h"

namespace lockstep {
namespace {

/// How a row's floats share statistics: (outer, channels, inner), one statistic a channel.
struct Channels {
  std::int64_t outer = 1, count = 1, inner = 1;
  std::int64_t values() const { return outer * inner; }  ///< of a channel in a row
  std::int64_t width() const { return values() * count; }
};

/// f(i, c) for every float i of the rows and its channel c; rows without data are left out.
template <class Function>
[[gnu::always_inline]] inline void for_each_value(const Channels& channels, const Block& block, const Function& f) {
  for (std::int64_t r = 0; r < block.rows; ++r) {
    if (!block.has_row(r)) continue;
    for (std::int64_t o = 0; o < channels.outer; ++o) {
      const std::int64_t first = (r * channels.outer + o) * channels.count * channels.inner;
      if (channels.inner == 1) {
#pragma omp simd
        for (std::int64_t c = 0; c < channels.count; ++c) f(first + c, c);
      } else {
        for (std::int64_t c = 0; c < channels.count; ++c) {
          for (std::int64_t i = 0; i < channels.inner; ++i) f(first + c * channels.inner + i, c);
        }
      }
    }
  }
}

// Sums over the rows are in double, each channel's in order of its floats. Eight channels at a time are summed in registers over some
// pixels.
constexpr std::int64_t kVector = 8, kPixels = 16;
using Floats = float __attribute__((vector_size(kVector * sizeof(float))));
using Doubles = double __attribute__((vector_size(kVector * sizeof(double))));

[[gnu::always_inline]] inline void load(const float* from, Floats& values) { std::memcpy(&values, from, sizeof(values)); }

/// Adds add(i, c, first, second) of every float i and its channel c to two sums of each channel. `add` takes vectors of channels, and
/// `add_one` the same of one channel.
template <class Add, class AddOne>
[[gnu::always_inline]] inline void add_by_channel(const Channels& channels, const Block& block, double* first, double* second,
                                                  const Add& add, const AddOne& add_one) {
  const std::int64_t count = channels.count;
  if (channels.inner > 1 || count % kVector > 0) {
    return for_each_value(channels, block, [=](std::int64_t i, std::int64_t c) { add_one(i, c, first[c], second[c]); });
  }
  for (std::int64_t r = 0; r < block.rows; ++r) {
    if (!block.has_row(r)) continue;
    for (std::int64_t from = 0; from < channels.outer; from += kPixels) {
      const std::int64_t pixel = r * channels.outer + from, pixels = std::min(kPixels, channels.outer - from);
      for (std::int64_t c = 0; c < count; c += kVector) {
        Doubles a, b;
        std::memcpy(&a, first + c, sizeof(a));
        std::memcpy(&b, second + c, sizeof(b));
        for (std::int64_t p = 0; p < pixels; ++p) add((pixel + p) * count + c, c, a, b);
        std::memcpy(first + c, &a, sizeof(a));
        std::memcpy(second + c, &b, sizeof(b));
      }
    }
  }
}

/// sum += x, squares += x^2 of every channel.
LOCKSTEP_CLONES void add_moments(const Channels& channels, const Block& block, const float* x, double* sum, double* squares) {
  add_by_channel(
      channels, block, sum, squares,
      [=](std::int64_t i, std::int64_t /*c*/, Doubles& a, Doubles& b) {
        Floats values;
        load(x + i, values);
        const Doubles value = __builtin_convertvector(values, Doubles);
        a += value;
        b += value * value;
      },
      [=](std::int64_t i, std::int64_t /*c*/, double& a, double& b) {
        const double value = x[i];
        a += value;
        b += value * value;
      });
}

/// What a channel's floats are normalized with: y = (x - mean) factor + offset.
struct Statistics {
  const float *mean, *inverse, *factor, *offset;
  float apply(float x, std::int64_t c) const { return (x - mean[c]) * factor[c] + offset[c]; }
};

LOCKSTEP_CLONES void apply(const Channels& channels, const Block& block, const float* x, const Statistics& by, bool positive, float* y) {
  const Statistics s = by;
  if (!positive) return for_each_value(channels, block, [=](std::int64_t i, std::int64_t c) { y[i] = s.apply(x[i], c); });
  for_each_value(channels, block, [=](std::int64_t i, std::int64_t c) {
    const float value = s.apply(x[i], c);
    y[i] = value < 0 ? 0 : value;  // NaN stays NaN
  });
}

/// sum += dy, products += dy (x - mean) inverse; with `positive` for dy where y is positive.
LOCKSTEP_CLONES void add_products(const Channels& channels, const Block& block, const float* x, const float* dy, const Statistics& by,
                                  bool positive, double* sum, double* products) {
  const Statistics s = by;
  add_by_channel(
      channels, block, sum, products,
      [=](std::int64_t i, std::int64_t c, Doubles& a, Doubles& b) {
        Floats values, d, mean, inverse;
        load(x + i, values);
        load(dy + i, d);
        load(s.mean + c, mean);
        load(s.inverse + c, inverse);
        if (positive) {
          Floats factor, offset;
          load(s.factor + c, factor);
          load(s.offset + c, offset);
          d = (values - mean) * factor + offset > 0 ? d : Floats{};
        }
        const Floats normal = (values - mean) * inverse;
        const Doubles value = __builtin_convertvector(d, Doubles);
        a += value;
        b += value * __builtin_convertvector(normal, Doubles);
      },
      [=](std::int64_t i, std::int64_t c, double& a, double& b) {
        const double value = positive && !(s.apply(x[i], c) > 0) ? 0 : dy[i];
        a += value;
        b += value * static_cast<double>((x[i] - s.mean[c]) * s.inverse[c]);
      });
}

/// dx = factor (dy - mean of dy - xhat * mean of dy xhat), xhat = (x - mean) inverse; `positive` as above.
LOCKSTEP_CLONES void apply_backward(const Channels& channels, const Block& block, const float* x, const float* dy, const Statistics& by,
                                    bool positive, const float* mean_dy, const float* mean_product, float* dx) {
  const Statistics s = by;
  const auto gradient = [=](std::int64_t i, std::int64_t c, float d) {
    const float normal = (x[i] - s.mean[c]) * s.inverse[c];
    return s.factor[c] * (d - mean_dy[c] - normal * mean_product[c]);
  };
  if (!positive) return for_each_value(channels, block, [=](std::int64_t i, std::int64_t c) { dx[i] = gradient(i, c, dy[i]); });
  for_each_value(channels, block, [=](std::int64_t i, std::int64_t c) { dx[i] = gradient(i, c, s.apply(x[i], c) > 0 ? dy[i] : 0); });
}

class BatchNormalizationOp final : public Op, public TakesRelu {
 public:
  BatchNormalizationOp(const BatchNormalization& layer, const Channels& channels)
      : channels_(channels), momentum_(layer.momentum), epsilon_(layer.epsilon) {
    in = out = channels.width();
    const Shape shape = {channels.count};
    has_gamma_ = layer.scale;
    has_beta_ = layer.center;
    if (has_gamma_) weights_.push_back({"gamma", shape, layer.gamma_initializer, layer.gamma_regularizer, layer.gamma_constraint});
    if (has_beta_) weights_.push_back({"beta", shape, layer.beta_initializer, layer.beta_regularizer, layer.beta_constraint});
    weights_.push_back({.name = "moving_mean", .shape = shape, .initializer = layer.moving_mean_initializer, .trainable = false});
    weights_.push_back({.name = "moving_variance", .shape = shape, .initializer = layer.moving_variance_initializer, .trainable = false});
    for (std::vector<float>* values : {&moving_mean_, &moving_variance_, &mean_, &inverse_, &factor_, &offset_, &mean_dy_, &mean_product_})
      values->resize(static_cast<std::size_t>(channels.count));
    gradient_.resize(static_cast<std::size_t>(2 * channels.count));
  }

  std::span<float> values(std::size_t i) override {
    if (weights_[i].trainable) return Op::values(i);
    return i + 1 < weights_.size() ? moving_mean_ : moving_variance_;
  }

  /// Results of a row do not depend on the block.
  bool row_count_invariant() const override { return true; }

  /// For evaluate and predict, and for a frozen layer, whose mean_dy_ and mean_product_ stay 0.
  void prepare(std::int64_t, int) override {
    mean_ = moving_mean_;
    for (std::size_t c = 0; c < mean_.size(); ++c) set_factor(c, moving_variance_[c]);
  }

  std::int64_t batch_sums(Direction direction) const override {
    return frozen() ? 0 : 2 * channels_.count + (direction == Direction::forward ? 1 : 0);
  }

  void collect_sums(const float* x, const float* dy, const Block& block, double* sums) const override {
    const std::int64_t n = channels_.count;
    std::fill_n(sums, 2 * n, 0.0);
    if (dy != nullptr) return add_products(channels_, block, x, dy, statistics(), relu_, sums, sums + n);
    add_moments(channels_, block, x, sums, sums + n);
    double& rows = sums[2 * n] = 0;
    for (std::int64_t r = 0; r < block.rows; ++r) rows += block.has_row(r) ? 1 : 0;
  }

  void use_sums(Direction direction, std::span<const double> sums) override {
    const auto n = static_cast<std::size_t>(channels_.count);
    if (direction == Direction::forward) count_ = sums[2 * n] * static_cast<double>(channels_.values());
    for (std::size_t c = 0; c < n; ++c) {
      const double first = sums[c] / count_, second = sums[n + c] / count_;
      if (direction == Direction::backward) {
        gradient_[c] = static_cast<float>(sums[n + c]);
        gradient_[n + c] = static_cast<float>(sums[c]);
        mean_dy_[c] = static_cast<float>(first);
        mean_product_[c] = static_cast<float>(second);
        continue;
      }
      const auto variance = static_cast<float>(std::max(second - first * first, 0.0));
      mean_[c] = static_cast<float>(first);
      set_factor(c, variance);
      moving_mean_[c] = moving_mean_[c] * momentum_ + mean_[c] * (1 - momentum_);
      moving_variance_[c] = moving_variance_[c] * momentum_ + variance * (1 - momentum_);
    }
  }

  void forward(const float* x, float* y, const Block& block) const override {
    apply(channels_, block, x, statistics(), relu_, y);
    clear_absent(block, y);
  }

  void backward(const float* x, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    apply_backward(channels_, block, x, dy, statistics(), relu_, mean_dy_.data(), mean_product_.data(), dx);
    clear_absent(block, dx);
  }

  bool take_relu_behind() override { return relu_ = true; }
  std::optional<ActivationFunction> activation() const override { return relu_ ? std::optional(relu) : std::nullopt; }

  bool gradient_in_sums() const override { return true; }
  void gradient(const float*, const float*, const Block&, VariableRange, float* to) const override {
    const std::int64_t n = channels_.count;
    if (has_gamma_) to = std::copy_n(gradient_.data(), n, to);
    if (has_beta_) std::copy_n(gradient_.data() + n, n, to);
  }

 private:
  Statistics statistics() const { return {mean_.data(), inverse_.data(), factor_.data(), offset_.data()}; }

  /// gamma / sqrt(variance + epsilon) and beta, as the parameters are now.
  void set_factor(std::size_t c, float variance) {
    inverse_[c] = 1 / std::sqrt(variance + epsilon_);
    const float* const own = parameters() + slice().offset + c;  // gamma, beta
    factor_[c] = has_gamma_ ? inverse_[c] * own[0] : inverse_[c];
    offset_[c] = has_beta_ ? own[has_gamma_ ? channels_.count : 0] : 0;
  }

  void clear_absent(const Block& block, float* values) const {
    for (std::int64_t r = 0; r < block.rows; ++r) {
      if (!block.has_row(r)) std::fill_n(values + r * in, in, 0.F);
    }
  }

  Channels channels_;
  float momentum_, epsilon_;
  bool has_gamma_, has_beta_;
  bool relu_ = false;  // of what comes out
  std::vector<float> moving_mean_, moving_variance_;
  // Of the batch in training, else of the moving averages; per channel.
  std::vector<float> mean_, inverse_, factor_, offset_;
  std::vector<float> mean_dy_, mean_product_;
  std::vector<float> gradient_;  // of gamma, then of beta
  double count_ = 0;             // values of a channel in the batch
};

}  // namespace

BuiltLayer build(const BatchNormalization& layer, const LayerSite& site) {
  const auto axes = static_cast<std::int64_t>(site.input.size()) + 1;
  const std::int64_t axis = layer.axis < 0 ? layer.axis + axes : layer.axis;
  if (axis < 1 || axis >= axes) {
    throw layer_error(layer, "axis " + std::to_string(layer.axis) + " is not an axis of its input " + to_string(site.input, true) +
                                 " that keeps statistics; give one between 1 and " + std::to_string(axes - 1) + ", or a negative one");
  }
  Channels channels;
  for (std::int64_t a = 1; a < axes; ++a) {
    std::int64_t& length = a < axis ? channels.outer : a == axis ? channels.count : channels.inner;
    length *= site.input[static_cast<std::size_t>(a - 1)];
  }
  return same_shape(site, std::make_unique<BatchNormalizationOp>(layer, channels));
}

}  // namespace lockstep
