#include "core/compile/constraints.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/clones.h"
#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr double kEpsilon = 1e-7;  // keras.config.epsilon()

std::vector<std::int64_t> axes_of(const MaxNorm& norm) { return norm.axis; }
std::vector<std::int64_t> axes_of(const UnitNorm& norm) { return norm.axis; }
std::vector<std::int64_t> axes_of(const MinMaxNorm& norm) { return norm.axis; }
std::vector<std::int64_t> axes_of(const NonNeg& /*none*/) { return {}; }

/// Of every axis, whether norms sum over it.
std::vector<bool> summed_axes(const Constraint::Kinds& kind, const Shape& shape) {
  const auto axes = static_cast<std::int64_t>(shape.size());
  std::vector<bool> summed(shape.size());
  for (const std::int64_t axis : std::visit([](const auto& one) { return axes_of(one); }, kind)) {
    const std::int64_t positive = axis < 0 ? axis + axes : axis;
    if (positive < 0 || positive >= axes) {
      throw Error(fmt::format("constraint {}: axis {} is not an axis of a weight of shape {}; give axes between 0 and {}",
                              kind_of(kind).class_name, axis, to_string(shape), axes - 1),
                  kUsage);
    }
    summed[static_cast<std::size_t>(positive)] = true;
  }
  return summed;
}

// What a vector of this norm is multiplied with.
double factor_of(const MaxNorm& norm, double length) {
  const auto most = static_cast<double>(norm.max_value);
  return length <= most ? 1 : most / (kEpsilon + length);
}
double factor_of(const UnitNorm& /*norm*/, double length) { return 1 / (kEpsilon + length); }
double factor_of(const MinMaxNorm& norm, double length) {
  const auto rate = static_cast<double>(norm.rate);
  const double inside = std::min(std::max(length, static_cast<double>(norm.min_value)), static_cast<double>(norm.max_value));
  return (rate * inside + (1 - rate) * length) / (kEpsilon + length);
}
double factor_of(const NonNeg& /*none*/, double /*length*/) { return 1; }

LOCKSTEP_CLONES void add_squares(const float* w, std::int64_t count, double* sums) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) sums[i] += static_cast<double>(w[i]) * static_cast<double>(w[i]);
}

LOCKSTEP_CLONES void scale_each(float* w, std::int64_t count, const double* factors) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) w[i] = static_cast<float>(w[i] * factors[i]);
}

LOCKSTEP_CLONES void scale_all(float* w, std::int64_t count, double factor) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) w[i] = static_cast<float>(w[i] * factor);
}

/// In order, so that the bits are those of every CPU.
double sum_of_squares(const float* w, std::int64_t count) {
  double sum = 0;
  for (std::int64_t i = 0; i < count; ++i) sum += static_cast<double>(w[i]) * static_cast<double>(w[i]);
  return sum;
}

LOCKSTEP_CLONES void clear_negative(float* w, std::int64_t count) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) w[i] = w[i] < 0 ? 0.F : w[i];
}

}  // namespace

WeightConstraint::WeightConstraint(const Constraint& constraint, const Shape& shape) : kind_(*constraint.kind) {
  const std::vector<bool> summed = summed_axes(kind_, shape);
  if (shape.empty()) {
    norm_of_ = {0};
    norms_.resize(1);
    return;
  }
  run_ = shape.back();
  one_norm_ = summed.back();
  std::int64_t count = one_norm_ ? 1 : run_;
  for (std::size_t axis = 0; axis + 1 < shape.size(); ++axis) count *= summed[axis] ? 1 : shape[axis];
  norms_.resize(static_cast<std::size_t>(count));
  const std::int64_t runs = elements(shape) / run_;
  for (std::int64_t run = 0; run < runs; ++run) {
    std::int64_t rest = run, stride = one_norm_ ? 1 : run_, norm = 0;
    for (std::size_t axis = shape.size() - 1; axis-- > 0; rest /= shape[axis]) {
      if (summed[axis]) continue;
      norm += rest % shape[axis] * stride;
      stride *= shape[axis];
    }
    norm_of_.push_back(norm);
  }
}

void WeightConstraint::apply(float* w) {
  if (std::holds_alternative<NonNeg>(kind_)) return clear_negative(w, run_ * static_cast<std::int64_t>(norm_of_.size()));
  scale(w);
}

void WeightConstraint::scale(float* w) {
  std::fill(norms_.begin(), norms_.end(), 0.0);
  const auto runs = static_cast<std::int64_t>(norm_of_.size());
  for (std::int64_t run = 0; run < runs; ++run) {
    double* const norms = &norms_[static_cast<std::size_t>(norm_of_[static_cast<std::size_t>(run)])];
    if (one_norm_)
      *norms += sum_of_squares(w + run * run_, run_);
    else
      add_squares(w + run * run_, run_, norms);
  }
  std::visit(
      [&](const auto& one) {
        for (double& norm : norms_) norm = factor_of(one, std::sqrt(norm));
      },
      kind_);
  for (std::int64_t run = 0; run < runs; ++run) {
    const double* const factors = &norms_[static_cast<std::size_t>(norm_of_[static_cast<std::size_t>(run)])];
    if (one_norm_)
      scale_all(w + run * run_, run_, *factors);
    else
      scale_each(w + run * run_, run_, factors);
  }
}

}  // namespace lockstep
