#include "core/compile/metrics/f_scores.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr double kEpsilon = 1e-7F;
constexpr std::int64_t kCounts = 3;  // of a class: true positives, false positives, false negatives

double score(double true_positives, double false_positives, double false_negatives, double beta) {
  const double precision = true_positives / (true_positives + false_positives + kEpsilon);
  const double recall = true_positives / (true_positives + false_negatives + kEpsilon);
  return precision * recall / (beta * beta * precision + recall + kEpsilon) * (1 + beta * beta);
}

double result(const FScore& metric, double beta, std::span<const double> counts) {
  const auto classes = static_cast<std::int64_t>(counts.size()) / ExactCounts::length(kCounts);
  const auto count = [&](std::int64_t c, std::int64_t which) { return ExactCounts::count(counts, c * kCounts + which); };
  if (metric.average == Average::micro) {
    double all[kCounts] = {};
    for (std::int64_t i = 0; i < classes * kCounts; ++i) all[i % kCounts] += count(i / kCounts, i % kCounts);
    return score(all[0], all[1], all[2], beta);
  }
  double sum = 0, support = 0;
  for (std::int64_t c = 0; c < classes; ++c) {
    const double own = count(c, 0) + count(c, 2);
    sum += score(count(c, 0), count(c, 1), count(c, 2), beta) * (metric.average == Average::weighted ? own : 1);
    support += own;
  }
  return sum / (metric.average == Average::weighted ? support + kEpsilon : static_cast<double>(classes));
}

}  // namespace

void prepare(const FScore& metric, const MetricShape&, const std::string& what) {
  if (metric.average != Average::none) return;
  throw Error(what +
                  " without an average has a value for each class, but a metric is one number in the logs; give average: macro, micro or "
                  "weighted. `lockstep evaluate` prints the F1 score of each class",
              kUsage);
}

MetricSize size_of(const FScore&, const MetricShape& shape) { return {.counts = ExactCounts::length(kCounts * shape.output_width)}; }

void add_rows(const FScore& metric, const MetricRows& rows, const MetricState& state) {
  ExactCounts counts(state.counts);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    if (rows.present[r] == 0 || rows.weight[r] == 0) continue;
    const float *y = rows.truth + r * rows.truth_width, *p = rows.output + r * rows.width;
    const auto weight = static_cast<double>(rows.weight[r]);
    const float largest = *std::max_element(p, p + rows.width);
    for (std::int64_t k = 0; k < rows.width; ++k) {
      const bool positive = metric.threshold ? p[k] > *metric.threshold : p[k] >= largest && std::abs(p[k]) > 1e-9F;
      if (positive) {
        counts.add(k * kCounts, weight * y[k]);
        counts.add(k * kCounts + 1, weight * (1 - y[k]));
      } else {
        counts.add(k * kCounts + 2, weight * y[k]);
      }
    }
  }
}

double result_of(const FBetaScore& metric, const MetricState& state) { return result(metric, metric.beta, state.counts); }
double result_of(const F1Score& metric, const MetricState& state) { return result(metric, 1, state.counts); }

}  // namespace lockstep
