#include "core/metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <functional>
#include <span>
#include <utility>

#include "core/names.h"

namespace lockstep {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

using Kind = decltype(MetricSpec::kind);

struct Entry {
  const char* snake;
  const char* class_of;
  Kind kind;
};

// In the order of MetricSpec::kind.
const std::array<Entry, 9> kKinds = {{{"accuracy", "Accuracy", Accuracy{}},
                                      {"sparse_categorical_accuracy", "SparseCategoricalAccuracy", SparseCategoricalAccuracy{}},
                                      {"categorical_accuracy", "CategoricalAccuracy", CategoricalAccuracy{}},
                                      {"binary_accuracy", "BinaryAccuracy", BinaryAccuracy{}},
                                      {"top_k_categorical_accuracy", "TopKCategoricalAccuracy", TopKCategoricalAccuracy{}},
                                      {"sparse_top_k_categorical_accuracy", "SparseTopKCategoricalAccuracy", SparseTopKCategoricalAccuracy{}},
                                      {"mean_squared_error", "MeanSquaredError", MeanSquaredErrorMetric{}},
                                      {"mean_absolute_error", "MeanAbsoluteError", MeanAbsoluteErrorMetric{}},
                                      {"root_mean_squared_error", "RootMeanSquaredError", RootMeanSquaredError{}}}};

std::vector<std::pair<std::string, Kind>> names() {
  std::vector<std::pair<std::string, Kind>> all{{"acc", Accuracy{}}, {"mse", MeanSquaredErrorMetric{}}, {"MSE", MeanSquaredErrorMetric{}},
                                                {"mae", MeanAbsoluteErrorMetric{}}, {"MAE", MeanAbsoluteErrorMetric{}}};
  for (const Entry& entry : kKinds) {
    all.emplace_back(entry.snake, entry.kind);
    all.emplace_back(entry.class_of, entry.kind);
  }
  return all;
}

std::int64_t largest(const float* row, std::int64_t width) { return std::max_element(row, row + width) - row; }

/// Keras' in_top_k: the label's value is finite and fewer than k values are larger.
bool in_top_k(const float* row, std::int64_t width, std::int64_t label, std::int64_t k) {
  if (label < 0 || label >= width || !std::isfinite(row[label])) return false;
  return std::count_if(row, row + width, [&](float value) { return value > row[label] || std::isnan(value); }) < k;
}

/// Mean over rows with weight != 0 of value(truth row, output row).
template <class Value>
Mean mean_of(const MetricRows& rows, const Value& value) {
  Mean mean;
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    if (rows.weight[r] == 0) continue;
    mean.sum += static_cast<double>(value(rows.truth + r * rows.truth_width, rows.output + r * rows.width));
    mean.count += 1;
  }
  return mean;
}

template <class Term>
double mean_over(const float* truth, const float* output, std::int64_t width, const Term& term) {
  double sum = 0;
  for (std::int64_t k = 0; k < width; ++k) sum += term(static_cast<double>(truth[k]) - static_cast<double>(output[k]));
  return sum / static_cast<double>(width);
}

Mean squared_error(const MetricRows& rows) {
  return mean_of(rows, [&](const float* y, const float* p) { return mean_over(y, p, rows.width, [](double e) { return e * e; }); });
}

bool label_metric(const MetricSpec& metric) {
  return std::holds_alternative<SparseCategoricalAccuracy>(metric.kind) || std::holds_alternative<SparseTopKCategoricalAccuracy>(metric.kind);
}

}  // namespace

MetricSpec metric_from_name(std::string_view name) {
  for (const auto& [known, kind] : names()) {
    if (known == name) return {kind, std::string(name)};
  }
  throw unknown_name("metric", name, names());
}

std::string default_name(const MetricSpec& metric) { return kKinds[metric.kind.index()].snake; }
std::string metric_class(const MetricSpec& metric) { return kKinds[metric.kind.index()].class_of; }

Mean metric_rows(const MetricSpec& metric, const MetricRows& rows) {
  const auto label = [](const float* y) { return static_cast<std::int64_t>(*y); };
  return std::visit(
      Overloaded{
          [&](const SparseCategoricalAccuracy&) { return mean_of(rows, [&](const float* y, const float* p) { return largest(p, rows.width) == label(y); }); },
          [&](const CategoricalAccuracy&) {
            return mean_of(rows, [&](const float* y, const float* p) { return largest(p, rows.width) == largest(y, rows.width); });
          },
          [&](const BinaryAccuracy& binary) {
            return mean_of(rows, [&](const float* y, const float* p) {
              const auto right = [&](std::int64_t k) { return (p[k] > binary.threshold ? 1.F : 0.F) == y[k]; };
              double sum = 0;
              for (std::int64_t k = 0; k < rows.width; ++k) sum += right(k) ? 1 : 0;
              return sum / static_cast<double>(rows.width);
            });
          },
          [&](const TopKCategoricalAccuracy& top) {
            return mean_of(rows, [&](const float* y, const float* p) { return in_top_k(p, rows.width, largest(y, rows.width), top.k); });
          },
          [&](const SparseTopKCategoricalAccuracy& top) {
            return mean_of(rows, [&](const float* y, const float* p) { return in_top_k(p, rows.width, label(y), top.k); });
          },
          [&](const MeanAbsoluteErrorMetric&) {
            return mean_of(rows, [&](const float* y, const float* p) { return mean_over(y, p, rows.width, [](double e) { return std::abs(e); }); });
          },
          [&](const MeanSquaredErrorMetric&) { return squared_error(rows); }, [&](const RootMeanSquaredError&) { return squared_error(rows); },
          [&](const Accuracy&) -> Mean { throw Error("metric 'accuracy' must be resolved by the shapes of truth and output first"); }},
      metric.kind);
}

double metric_result(const MetricSpec& metric, const Mean& total) {
  const double mean = total.count > 0 ? total.sum / total.count : 0;
  return std::holds_alternative<RootMeanSquaredError>(metric.kind) ? std::sqrt(mean) : mean;
}

MetricSpec resolve(const MetricSpec& metric, std::int64_t truth_width, std::int64_t output_width) {
  MetricSpec resolved = metric;
  if (std::holds_alternative<Accuracy>(metric.kind)) {
    if (output_width == 1) {
      resolved.kind = BinaryAccuracy{};
    } else if (truth_width == 1) {
      resolved.kind = SparseCategoricalAccuracy{};
    } else {
      resolved.kind = CategoricalAccuracy{};
    }
  }
  const std::int64_t expected = label_metric(resolved) ? 1 : output_width;
  if (truth_width != expected) {
    throw Error("metric '" + metric.name + "' (" + metric_class(resolved) + ") needs " + std::to_string(expected) +
                    " truth values per row for an output of " + std::to_string(output_width) + ", found " + std::to_string(truth_width),
                kUsage);
  }
  return resolved;
}

}  // namespace lockstep
