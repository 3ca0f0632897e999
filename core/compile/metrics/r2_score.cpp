#include "core/compile/metrics/r2_score.h"

#include <cmath>

namespace lockstep {
namespace {

// The state: numbers of all rows, sum of weights, and of each output the weighted sums of y, y^2 and (y - p)^2.
constexpr std::size_t kNumbers = 0, kWeight = 1, kOutputs = 2, kSums = 3;

}  // namespace

MetricSize size_of(const R2Score&, const MetricShape& shape) {
  return {.sums = static_cast<std::int64_t>(kOutputs) + static_cast<std::int64_t>(kSums) * shape.output_width};
}

void add_rows(const R2Score&, const MetricRows& rows, const MetricState& state) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    if (rows.present[r] == 0) continue;
    const auto weight = static_cast<double>(rows.weight[r]);
    state.sums[kNumbers] += static_cast<double>(rows.width);
    state.sums[kWeight] += weight;
    if (weight == 0) continue;
    for (std::int64_t k = 0; k < rows.width; ++k) {
      const double y = rows.truth[r * rows.truth_width + k], error = y - rows.output[r * rows.width + k];
      double* const own = &state.sums[kOutputs + kSums * static_cast<std::size_t>(k)];
      own[0] += weight * y;
      own[1] += weight * y * y;
      own[2] += weight * error * error;
    }
  }
}

double result_of(const R2Score& metric, const MetricState& state) {
  const std::size_t outputs = (state.sums.size() - kOutputs) / kSums;
  double sum = 0, weights = 0;
  for (std::size_t k = 0; k < outputs; ++k) {
    const double* const own = &state.sums[kOutputs + kSums * k];
    const double total = own[1] - own[0] * own[0] / state.sums[kWeight];
    const double score = 1 - own[2] / total;
    const double weight = metric.class_aggregation == ClassAggregation::uniform_average ? 1 : total;
    sum += weight * (std::isinf(score) ? 0 : score);
    weights += weight;
  }
  const double score = sum / weights, numbers = state.sums[kNumbers], free = numbers - static_cast<double>(metric.num_regressors) - 1;
  if (metric.num_regressors == 0 || free <= 0) return score;  // as Keras, which warns
  return 1 - (1 - score) * (numbers - 1) / free;
}

}  // namespace lockstep
