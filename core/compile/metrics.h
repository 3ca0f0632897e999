#pragma once
#include <cstdint>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

namespace lockstep {

// Metrics as in keras/src/metrics. Each is a (sum, count) pair of doubles over rows, so ranks and batches simply add up.

/// Resolved by shapes as Keras does: output width 1 -> binary; one label per row -> sparse; else categorical.
struct Accuracy {};
struct SparseCategoricalAccuracy {};
struct CategoricalAccuracy {};
struct BinaryAccuracy {
  float threshold = 0.5F;  ///< p > threshold, strictly
};
struct TopKCategoricalAccuracy {
  std::int64_t k = 5;
};
struct SparseTopKCategoricalAccuracy {
  std::int64_t k = 5;
};
struct MeanSquaredErrorMetric {};
struct MeanAbsoluteErrorMetric {};
/// sqrt of the mean squared error over all rows seen.
struct RootMeanSquaredError {};

struct MetricSpec {
  std::variant<Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy,
               SparseTopKCategoricalAccuracy, MeanSquaredErrorMetric, MeanAbsoluteErrorMetric, RootMeanSquaredError>
      kind;
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

/// `Accuracy` turned into what the shapes make it; others unchanged. Checks that the shapes fit (Error, kUsage).
MetricSpec resolve(const MetricSpec& metric, std::int64_t truth_width, std::int64_t output_width);

}  // namespace lockstep
