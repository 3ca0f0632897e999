#include "core/compile/metrics/means.h"

#include <algorithm>
#include <cmath>

namespace lockstep {
namespace {

// Index of the largest value, the first one among equals; -1 if one is NaN: such a row has no class.
std::int64_t argmax(const float* values, std::int64_t width) {
  std::int64_t largest = 0;
  for (std::int64_t k = 0; k < width; ++k) {
    if (std::isnan(values[k])) return -1;
    if (values[k] > values[largest]) largest = k;
  }
  return largest;
}

// True if the class's value is at least the k-th largest of the row and the row is finite (tf.math.in_top_k).
bool in_top_k(const float* values, std::int64_t width, std::int64_t label, std::int64_t k) {
  if (label < 0 || label >= width) return false;
  std::int64_t larger = 0;
  for (std::int64_t i = 0; i < width; ++i) {
    if (!std::isfinite(values[i])) return false;
    if (values[i] > values[label]) ++larger;
  }
  return larger < k;
}

// A label as class index; -1 if it is none, which no output matches.
std::int64_t class_of(float label, std::int64_t classes) {
  const bool good = label >= 0 && label < static_cast<float>(classes) && label == std::floor(label);
  return good ? static_cast<std::int64_t>(label) : -1;
}

// Adds value(y, p) of every row with a weight.
template <typename Value>
void add_values(const MetricRows& rows, const MetricState& state, const Value& value) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const double weight = rows.present[r] == 0 ? 0 : static_cast<double>(rows.weight[r]);
    if (weight == 0) continue;
    state.sums[0] += weight * static_cast<double>(value(rows.truth + r * rows.truth_width, rows.output + r * rows.width));
    state.sums[1] += weight;
  }
}

struct Moments {
  double mean = 0, variance = 0;
};

Moments moments(const float* values, std::int64_t width) {
  Moments of;
  for (std::int64_t k = 0; k < width; ++k) of.mean += static_cast<double>(values[k]);
  of.mean /= static_cast<double>(width);
  for (std::int64_t k = 0; k < width; ++k) of.variance += (values[k] - of.mean) * (values[k] - of.mean);
  of.variance /= static_cast<double>(width);
  return of;
}

// Mean of (y - mean y) (p - mean p).
double covariance(const float* y, const Moments& of_y, const float* p, const Moments& of_p, std::int64_t width) {
  double sum = 0;
  for (std::int64_t k = 0; k < width; ++k) sum += (y[k] - of_y.mean) * (p[k] - of_p.mean);
  return sum / static_cast<double>(width);
}

}  // namespace

void add_rows(const SparseCategoricalAccuracy&, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&rows](const float* y, const float* p) {
    const std::int64_t label = class_of(*y, rows.width);
    return label >= 0 && label == argmax(p, rows.width);
  });
}

void add_rows(const CategoricalAccuracy&, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&rows](const float* y, const float* p) {
    const std::int64_t label = argmax(y, rows.width);
    return label >= 0 && label == argmax(p, rows.width);
  });
}

void add_rows(const BinaryAccuracy& metric, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&](const float* y, const float* p) {
    std::int64_t right = 0;
    for (std::int64_t k = 0; k < rows.width; ++k) right += y[k] == (p[k] > metric.threshold ? 1.F : 0.F) && !std::isnan(p[k]);
    return static_cast<double>(right) / static_cast<double>(rows.width);
  });
}

void add_rows(const TopKCategoricalAccuracy& metric, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&](const float* y, const float* p) { return in_top_k(p, rows.width, argmax(y, rows.width), metric.k); });
}

void add_rows(const SparseTopKCategoricalAccuracy& metric, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&](const float* y, const float* p) { return in_top_k(p, rows.width, class_of(*y, rows.width), metric.k); });
}

void add_rows(const LogCoshError&, const MetricRows& rows, const MetricState& state) { add_loss_rows(LogCosh{}, rows, state); }

void add_rows(const RootMeanSquaredError&, const MetricRows& rows, const MetricState& state) {
  add_loss_rows(MeanSquaredError{}, rows, state);
}

void add_rows(const CosineSimilarityMetric&, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&rows](const float* y, const float* p) {
    constexpr double kMost = 1e7;  // 1 / epsilon
    double product = 0, y_square = 0, p_square = 0;
    for (std::int64_t k = 0; k < rows.width; ++k) {
      product += static_cast<double>(y[k]) * p[k];
      y_square += static_cast<double>(y[k]) * y[k];
      p_square += static_cast<double>(p[k]) * p[k];
    }
    return product * std::min(1 / std::sqrt(y_square), kMost) * std::min(1 / std::sqrt(p_square), kMost);
  });
}

void add_rows(const PearsonCorrelation&, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&rows](const float* y, const float* p) {
    const Moments of_y = moments(y, rows.width), of_p = moments(p, rows.width);
    return covariance(y, of_y, p, of_p, rows.width) / (std::sqrt(of_y.variance) * std::sqrt(of_p.variance));
  });
}

void add_rows(const ConcordanceCorrelation&, const MetricRows& rows, const MetricState& state) {
  add_values(rows, state, [&rows](const float* y, const float* p) {
    constexpr double kEpsilon = 1e-7F;
    const Moments of_y = moments(y, rows.width), of_p = moments(p, rows.width);
    const double apart = of_y.mean - of_p.mean;
    return 2 * covariance(y, of_y, p, of_p, rows.width) / (of_y.variance + of_p.variance + apart * apart + kEpsilon);
  });
}

void add_loss_rows(const LossSpec& loss, const MetricRows& rows, const MetricState& state) {
  loss_rows(loss, false,
            {.truth = rows.truth,
             .weight = rows.weight,
             .input = rows.output,
             .output = nullptr,
             .delta = nullptr,
             .value = rows.value,
             .rows = rows.rows,
             .width = rows.width,
             .truth_width = rows.truth_width});
  const bool weighted = rows.weight != rows.present;
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const double weight = static_cast<double>(rows.weight[r]);
    if (rows.present[r] == 0 || weight == 0) continue;
    if (weighted && is_ignored(loss, rows.truth[r * rows.truth_width])) continue;
    state.sums[0] += weight * rows.value[r];
    state.sums[1] += weight;
  }
}

double mean_of(std::span<const double> sums) { return sums[1] == 0 ? 0 : sums[0] / sums[1]; }

}  // namespace lockstep
