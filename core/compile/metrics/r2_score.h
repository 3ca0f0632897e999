#pragma once
#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "core/compile/kinds.h"
#include "core/compile/metrics/state.h"

namespace lockstep {

/// How the scores of the outputs become one.
enum class ClassAggregation { uniform_average, variance_weighted_average };
constexpr std::array<std::pair<std::string_view, ClassAggregation>, 2> choices(ClassAggregation) {
  return {
      {{"uniform_average", ClassAggregation::uniform_average}, {"variance_weighted_average", ClassAggregation::variance_weighted_average}}};
}

/// 1 - (sum of squared errors) / (sum of squared deviations of the truth from its mean); keras/src/metrics/regression_metrics.py.
struct R2Score {
  static constexpr Kind kKind = {.class_name = "R2Score", .name = "r2_score"};
  ClassAggregation class_aggregation = ClassAggregation::uniform_average;
  std::int64_t num_regressors = 0;  ///< above 0: the adjusted score
};

template <Is<R2Score> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"class_aggregation"}, metric.class_aggregation);
  visit(Field{"num_regressors", at_least(0)}, metric.num_regressors);
}

MetricSize size_of(const R2Score& metric, const MetricShape& shape);
void add_rows(const R2Score& metric, const MetricRows& rows, const MetricState& state);
double result_of(const R2Score& metric, const MetricState& state);

}  // namespace lockstep
