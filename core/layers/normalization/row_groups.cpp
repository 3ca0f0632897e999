#include "core/layers/normalization/row_groups.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "cluster/clones.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

constexpr std::int64_t kSome = 64;     // groups side by side that are computed together
constexpr double kMostInverse = 1e12;  // of a unit normalization

/// What normalises a group: y = (x - mean) inverse.
struct Scale {
  float mean, inverse;
};

/// From the sum of (x - mean)^2.
[[gnu::always_inline]] inline float inverse_of(const RowNormalization& by, double squares) {
  if (by.unit) return static_cast<float>(std::min(1 / std::sqrt(squares), kMostInverse));
  return static_cast<float>(1 / std::sqrt(squares / static_cast<double>(by.groups.size()) + static_cast<double>(by.epsilon)));
}

/// What backward subtracts from a delta h = dy gamma: dx = inverse (h - mean - xhat product), from the sums of h and of h xhat.
[[gnu::always_inline]] inline Scale backward_of(const RowNormalization& by, float inverse, double sum, double product) {
  const auto size = static_cast<double>(by.groups.size());
  if (by.unit) return {0, inverse < static_cast<float>(kMostInverse) ? static_cast<float>(product) : 0.F};
  return {static_cast<float>(sum / size), static_cast<float>(product / size)};
}

/// f(place in the row, place in the segment, weight) for the floats [first, first + count) of each segment of a set.
template <class Function>
[[gnu::always_inline]] inline void for_each_float(const RowGroups& groups, std::int64_t set, std::int64_t first, std::int64_t count,
                                                  const Function& f) {
  for (std::int64_t s = 0; s < groups.segments(); ++s) {
    const std::int64_t start = groups.start(set, s) + first, weight = groups.weight(set, s) + (groups.weight_each() ? first : 0);
    if (groups.weight_each()) {
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) f(start + i, i, weight + i);
    } else {
#pragma omp simd
      for (std::int64_t i = 0; i < count; ++i) f(start + i, i, weight);
    }
  }
}

[[gnu::always_inline]] inline Scale scale_of_group(const RowNormalization& by, std::int64_t set, const float* x) {
  const RowGroups& groups = by.groups;
  double total = 0, squares = 0;
  for (std::int64_t s = 0; s < groups.segments() && !by.unit; ++s) {
    const float* const from = x + groups.start(set, s);
    total += sum(from, from, groups.length(), [](double a, double) { return a; });
  }
  const auto mean = static_cast<float>(total / static_cast<double>(groups.size()));
  const auto center = static_cast<double>(mean);
  for (std::int64_t s = 0; s < groups.segments(); ++s) {
    const float* const from = x + groups.start(set, s);
    squares += sum(from, from, groups.length(), [=](double a, double b) { return (a - center) * (b - center); });
  }
  return {mean, inverse_of(by, squares)};
}

/// The same for groups [first, first + count) side by side.
struct Scales {
  std::array<float, kSome> mean{}, inverse{};
};

[[gnu::always_inline]] inline void scales_of_groups(const RowNormalization& by, std::int64_t set, std::int64_t first, std::int64_t count,
                                                    const float* x, Scales& scales) {
  std::array<double, kSome> total{}, squares{};
  if (!by.unit) for_each_float(by.groups, set, first, count, [&](std::int64_t i, std::int64_t g, std::int64_t) { total[g] += x[i]; });
  for (std::int64_t g = 0; g < count; ++g) scales.mean[g] = static_cast<float>(total[g] / static_cast<double>(by.groups.size()));
  for_each_float(by.groups, set, first, count, [&](std::int64_t i, std::int64_t g, std::int64_t) {
    const double difference = static_cast<double>(x[i]) - static_cast<double>(scales.mean[g]);
    squares[g] += difference * difference;
  });
  for (std::int64_t g = 0; g < count; ++g) scales.inverse[g] = inverse_of(by, squares[g]);
}

LOCKSTEP_CLONES void normalize_row(const RowNormalization& by, const float* x, const float* gamma, const float* beta, float* y) {
  const RowGroups& groups = by.groups;
  for (std::int64_t set = 0; set < groups.sets(); ++set) {
    if (!groups.side_by_side()) {
      const auto [mean, inverse] = scale_of_group(by, set, x);
      for_each_float(groups, set, 0, groups.length(), [=, m = mean, v = inverse](std::int64_t i, std::int64_t, std::int64_t w) {
        y[i] = (x[i] - m) * v * gamma[w] + beta[w];
      });
      continue;
    }
    for (std::int64_t first = 0; first < groups.length(); first += kSome) {
      const std::int64_t count = std::min(kSome, groups.length() - first);
      Scales scales;
      scales_of_groups(by, set, first, count, x, scales);
      for_each_float(groups, set, first, count, [&](std::int64_t i, std::int64_t g, std::int64_t w) {
        y[i] = (x[i] - scales.mean[g]) * scales.inverse[g] * gamma[w] + beta[w];
      });
    }
  }
}

[[gnu::always_inline]] inline void backward_side_by_side(const RowNormalization& by, std::int64_t set, std::int64_t first,
                                                         std::int64_t count, const float* x, const float* dy, const float* gamma,
                                                         float* dx) {
  Scales scales, back;
  std::array<double, kSome> total{}, product{};
  scales_of_groups(by, set, first, count, x, scales);
  for_each_float(by.groups, set, first, count, [&](std::int64_t i, std::int64_t g, std::int64_t w) {
    const float h = dy[i] * gamma[w];
    total[g] += h;
    product[g] += h * ((x[i] - scales.mean[g]) * scales.inverse[g]);
  });
  for (std::int64_t g = 0; g < count; ++g) {
    const auto [mean, mean_product] = backward_of(by, scales.inverse[g], total[g], product[g]);
    back.mean[g] = mean;
    back.inverse[g] = mean_product;
  }
  for_each_float(by.groups, set, first, count, [&](std::int64_t i, std::int64_t g, std::int64_t w) {
    const float normal = (x[i] - scales.mean[g]) * scales.inverse[g];
    dx[i] = scales.inverse[g] * (dy[i] * gamma[w] - back.mean[g] - normal * back.inverse[g]);
  });
}

[[gnu::always_inline]] inline void backward_group(const RowNormalization& by, std::int64_t set, const float* x, const float* dy,
                                                  const float* gamma, float* dx) {
  const RowGroups& groups = by.groups;
  const std::int64_t length = groups.length();
  const auto [mean, inverse] = scale_of_group(by, set, x);
  // dx is dy gamma for a moment, so that its sums are those of elementwise.h.
  for_each_float(groups, set, 0, length, [=](std::int64_t i, std::int64_t, std::int64_t w) { dx[i] = dy[i] * gamma[w]; });
  double total = 0, product = 0;
  const auto m = static_cast<double>(mean), v = static_cast<double>(inverse);
  for (std::int64_t s = 0; s < groups.segments(); ++s) {
    const float *const h = dx + groups.start(set, s), *const from = x + groups.start(set, s);
    if (!by.unit) total += sum(h, h, length, [](double a, double) { return a; });
    product += sum(h, from, length, [=](double a, double b) { return a * ((b - m) * v); });
  }
  const auto [mean_h, mean_product] = backward_of(by, inverse, total, product);
  for_each_float(groups, set, 0, length,
                 [=, c = mean, d = inverse, e = mean_h, f = mean_product](std::int64_t i, std::int64_t, std::int64_t) {
                   dx[i] = d * (dx[i] - e - (x[i] - c) * d * f);
                 });
}

LOCKSTEP_CLONES void backward_row(const RowNormalization& by, const float* x, const float* dy, const float* gamma, float* dx) {
  const RowGroups& groups = by.groups;
  for (std::int64_t set = 0; set < groups.sets(); ++set) {
    if (!groups.side_by_side()) {
      backward_group(by, set, x, dy, gamma, dx);
      continue;
    }
    for (std::int64_t first = 0; first < groups.length(); first += kSome)
      backward_side_by_side(by, set, first, std::min(kSome, groups.length() - first), x, dy, gamma, dx);
  }
}

/// gamma += dy xhat, beta += dy; null: not wanted. Of groups side by side, `first` and `count` are those of `scales`.
[[gnu::always_inline]] inline void add_side_by_side(const RowGroups& groups, std::int64_t set, std::int64_t first, std::int64_t count,
                                                    const Scales& scales, const float* x, const float* dy, float* gamma, float* beta) {
  const std::int64_t step = groups.weight_each() ? 1 : 0;
  for (std::int64_t s = 0; s < groups.segments(); ++s) {
    const std::int64_t start = groups.start(set, s) + first, weight = groups.weight(set, s) + step * first;
    for (std::int64_t i = 0; gamma != nullptr && i < count; ++i)
      gamma[weight + step * i] += dy[start + i] * ((x[start + i] - scales.mean[i]) * scales.inverse[i]);
    for (std::int64_t i = 0; beta != nullptr && i < count; ++i) beta[weight + step * i] += dy[start + i];
  }
}

/// The same of one group.
[[gnu::always_inline]] inline void add_group(const RowGroups& groups, std::int64_t set, const Scale& scale, const float* x, const float* dy,
                                             float* gamma, float* beta) {
  const auto [mean, inverse] = scale;
  const auto m = static_cast<double>(mean), v = static_cast<double>(inverse);
  const std::int64_t length = groups.length();
  for (std::int64_t s = 0; s < groups.segments(); ++s) {
    const float *const from = x + groups.start(set, s), *const delta = dy + groups.start(set, s);
    const std::int64_t weight = groups.weight(set, s);
    if (groups.weight_each()) {
#pragma omp simd
      for (std::int64_t i = 0; i < (gamma == nullptr ? 0 : length); ++i) gamma[weight + i] += delta[i] * ((from[i] - mean) * inverse);
#pragma omp simd
      for (std::int64_t i = 0; i < (beta == nullptr ? 0 : length); ++i) beta[weight + i] += delta[i];
      continue;
    }
    if (gamma != nullptr)
      gamma[weight] += static_cast<float>(sum(delta, from, length, [=](double a, double b) { return a * ((b - m) * v); }));
    if (beta != nullptr) beta[weight] += static_cast<float>(sum(delta, delta, length, [](double a, double) { return a; }));
  }
}

LOCKSTEP_CLONES void add_row_gradient(const RowNormalization& by, const float* x, const float* dy, float* gamma, float* beta) {
  const RowGroups& groups = by.groups;
  for (std::int64_t set = 0; set < groups.sets(); ++set) {
    if (!groups.side_by_side()) {
      add_group(groups, set, scale_of_group(by, set, x), x, dy, gamma, beta);
      continue;
    }
    for (std::int64_t first = 0; first < groups.length(); first += kSome) {
      const std::int64_t count = std::min(kSome, groups.length() - first);
      Scales scales;
      scales_of_groups(by, set, first, count, x, scales);
      add_side_by_side(groups, set, first, count, scales, x, dy, gamma, beta);
    }
  }
}

class RowNormalizationOp final : public Op {
 public:
  explicit RowNormalizationOp(RowNormalization by) : by_(std::move(by)) {
    in = out = by_.groups.width();
    weights_ = std::move(by_.weights);
    const auto count = static_cast<std::size_t>(by_.groups.weight_count());
    ones_.assign(count, 1);
    zeros_.assign(count, 0);
  }

  /// A row's result does not depend on the others.
  bool row_count_invariant() const override { return true; }

  void forward(const float* x, float* y, const Block& block) const override {
    const float *const gamma = weight("gamma", ones_), *const beta = weight("beta", zeros_);
    for (std::int64_t r = 0; r < block.rows; ++r) normalize_row(by_, x + r * in, gamma, beta, y + r * in);
  }

  void backward(const float* x, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    const float* const gamma = weight("gamma", ones_);
    for (std::int64_t r = 0; r < block.rows; ++r) backward_row(by_, x + r * in, dy + r * in, gamma, dx + r * in);
  }

  void gradient(const float* x, const float* dy, const Block& block, VariableRange part, float* to) const override {
    std::fill_n(to, part.count, 0.F);
    const std::int64_t n = by_.groups.weight_count();
    float* const gamma = weights_.front().name == "gamma" ? to : nullptr;
    float* const beta = weights_.back().name == "beta" ? to + (gamma != nullptr ? n : 0) : nullptr;
    for (std::int64_t r = 0; r < block.rows; ++r) add_row_gradient(by_, x + r * in, dy + r * in, gamma, beta);
  }

 private:
  const float* weight(std::string_view name, const std::vector<float>& otherwise) const {
    for (const Weight& one : weights_) {
      if (one.name == name) return parameters() + one.offset;
    }
    return otherwise.data();
  }

  RowNormalization by_;
  std::vector<float> ones_, zeros_;  // for gamma and beta where they are not there
};

}  // namespace

RowGroups::RowGroups(const std::vector<Axis>& all) {
  std::vector<Axis> axes;
  for (const Axis& axis : all) {
    width_ *= axis.length;
    if (axis.weighted) weight_count_ *= axis.length;
    if (axis.length > 1) axes.push_back(axis);
  }
  if (axes.empty()) axes.push_back({1, true, true});
  side_by_side_ = !axes.back().summed;
  weight_each_ = axes.back().weighted;
  // The last axes that do the same are one.
  while (!axes.empty() && axes.back().summed != side_by_side_ && axes.back().weighted == weight_each_) {
    length_ *= axes.back().length;
    axes.pop_back();
  }
  for (const Axis& axis : axes) (axis.summed ? segments_ : sets_) *= axis.length;
  starts_.resize(static_cast<std::size_t>(sets_ * segments_));
  weights_.resize(starts_.size());
  for (std::int64_t n = 0; n < sets_ * segments_; ++n) {
    std::int64_t rest = n, segment = 0, set = 0, weight = 0;
    std::int64_t segment_stride = 1, set_stride = 1, weight_stride = weight_each_ ? length_ : 1;
    for (std::size_t a = axes.size(); a-- > 0; rest /= axes[a].length) {
      const Axis& axis = axes[a];
      const std::int64_t at = rest % axis.length;
      std::int64_t &place = axis.summed ? segment : set, &stride = axis.summed ? segment_stride : set_stride;
      place += at * stride;
      stride *= axis.length;
      if (!axis.weighted) continue;
      weight += at * weight_stride;
      weight_stride *= axis.length;
    }
    const auto to = static_cast<std::size_t>(set * segments_ + segment);
    starts_[to] = n * length_;
    weights_[to] = weight;
  }
}

std::unique_ptr<Op> row_normalization_op(RowNormalization normalization) {
  return std::make_unique<RowNormalizationOp>(std::move(normalization));
}

}  // namespace lockstep
