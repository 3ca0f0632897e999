#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/compile/kinds.h"

namespace lockstep {

// Metrics as in keras/src/metrics. Each is a (sum, count) pair of doubles over rows, so ranks and batches simply add up.

/// Resolved by shapes as Keras does: output width 1 -> binary; one label per row -> sparse; else categorical.
struct Accuracy {
  static constexpr Kind kKind = {.class_name = "Accuracy", .name = "accuracy", .short_name = "acc"};
};
struct SparseCategoricalAccuracy {
  static constexpr Kind kKind = {.class_name = "SparseCategoricalAccuracy", .name = "sparse_categorical_accuracy"};
};
struct CategoricalAccuracy {
  static constexpr Kind kKind = {.class_name = "CategoricalAccuracy", .name = "categorical_accuracy"};
};
struct BinaryAccuracy {
  static constexpr Kind kKind = {.class_name = "BinaryAccuracy", .name = "binary_accuracy"};
  float threshold = 0.5F;  ///< p > threshold, strictly
};
struct TopKCategoricalAccuracy {
  static constexpr Kind kKind = {.class_name = "TopKCategoricalAccuracy", .name = "top_k_categorical_accuracy"};
  std::int64_t k = 5;
};
struct SparseTopKCategoricalAccuracy {
  static constexpr Kind kKind = {.class_name = "SparseTopKCategoricalAccuracy", .name = "sparse_top_k_categorical_accuracy"};
  std::int64_t k = 5;
};
struct MeanSquaredErrorMetric {
  static constexpr Kind kKind = {.class_name = "MeanSquaredError", .name = "mean_squared_error", .short_name = "mse"};
};
struct MeanAbsoluteErrorMetric {
  static constexpr Kind kKind = {.class_name = "MeanAbsoluteError", .name = "mean_absolute_error", .short_name = "mae"};
};
/// sqrt of the mean squared error over all rows seen.
struct RootMeanSquaredError {
  static constexpr Kind kKind = {.class_name = "RootMeanSquaredError", .name = "root_mean_squared_error"};
};

using MetricKind = std::variant<Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy,
                                SparseTopKCategoricalAccuracy, MeanSquaredErrorMetric, MeanAbsoluteErrorMetric, RootMeanSquaredError>;

template <Is<BinaryAccuracy> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"threshold"}, metric.threshold);
}
template <class S, class Visit>
requires Is<S, TopKCategoricalAccuracy> || Is<S, SparseTopKCategoricalAccuracy>
void fields(S& metric, Visit&& visit) { visit(Field{"k", at_least(1)}, metric.k); }

struct MetricSpec {
  MetricKind kind;
  std::string name;  ///< key in logs; a metric given by its string has that string as name, as in Keras
};

/// `metrics = {accuracy, "mse"}`
inline const MetricSpec accuracy{Accuracy{}, "accuracy"};

/// Keras' strings ("accuracy", "mse", "RootMeanSquaredError", ...), class and snake_case names; unknown: Error (kUsage) listing the known.
MetricSpec metric_from_name(std::string_view name);
/// Keras' own name of the class ("root_mean_squared_error"), and the class.
std::string default_name(const MetricSpec& metric);
std::string metric_class(const MetricSpec& metric);

/// Sum over rows and number of rows.
struct Mean {
  double sum = 0;
  double count = 0;
};

/// Adds rows with weight != 0 to `total`, ignoring the size of the weight (Keras' `metrics=`). y (rows, truth_width), p (rows, width).
struct MetricRows {
  const float* truth;
  const float* output;
  const float* weight;
  std::int64_t rows = 0, width = 0, truth_width = 0;
};
Mean metric_rows(const MetricSpec& metric, const MetricRows& rows);

/// What is shown: sum / count (0 if count is 0), its square root for RootMeanSquaredError.
double metric_result(const MetricSpec& metric, const Mean& total);

/// `Accuracy` turned into what the shapes make it; others unchanged. Of a single `logits` it counts those above 0, which is a probability
/// of 0.5; a threshold that the user gives stays as it is. Checks that the shapes fit (Error, kUsage).
MetricSpec resolve(const MetricSpec& metric, std::int64_t truth_width, std::int64_t output_width, bool logits = false);

}  // namespace lockstep
