#pragma once
#include <cstdint>
#include <span>

#include "core/compile/kinds.h"
#include "core/compile/losses/losses.h"
#include "core/compile/metrics/state.h"

namespace lockstep {

// Metrics that are a mean over rows; keras/src/metrics/{accuracy,regression,hinge,probabilistic,correlation}_metrics.py.

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
/// The mean of a loss over rows. Rows of an ignore_class count as 0 in `metrics` and are left out in `weighted_metrics`, as in Keras.
template <class Loss>
struct LossMetric {
  static constexpr Kind kKind = Loss::kKind;
  Loss loss = {};
};
using MeanSquaredErrorMetric = LossMetric<MeanSquaredError>;
using MeanAbsoluteErrorMetric = LossMetric<MeanAbsoluteError>;
struct LogCoshError {
  static constexpr Kind kKind = {.class_name = "LogCoshError", .name = "log_cosh_error"};
  static constexpr std::string_view kDefaultName = "logcosh";
};
/// sqrt of the mean squared error over all rows seen.
struct RootMeanSquaredError {
  static constexpr Kind kKind = {.class_name = "RootMeanSquaredError", .name = "root_mean_squared_error"};
};
/// The cosine of the angle between truth and output; the loss of this name is its negative.
struct CosineSimilarityMetric {
  static constexpr Kind kKind = {.class_name = "CosineSimilarity", .name = "cosine_similarity"};
};
/// Correlation of the numbers of a row with its truth, then the mean over rows.
struct PearsonCorrelation {
  static constexpr Kind kKind = {.class_name = "PearsonCorrelation", .name = "pearson_correlation"};
};
struct ConcordanceCorrelation {
  static constexpr Kind kKind = {.class_name = "ConcordanceCorrelation", .name = "concordance_correlation"};
};

template <Is<BinaryAccuracy> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"threshold"}, metric.threshold);
}
template <Is<TopKCategoricalAccuracy> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"k", at_least(1)}, metric.k);
}
template <Is<SparseTopKCategoricalAccuracy> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"k", at_least(1)}, metric.k);
  visit(Fixed{"from_sorted_ids", false, false});
}
template <class Loss, class Visit>
void fields(LossMetric<Loss>& metric, Visit&& visit) {
  fields(metric.loss, visit);
}
template <class Loss, class Visit>
void fields(const LossMetric<Loss>& metric, Visit&& visit) {
  fields(metric.loss, visit);
}

template <class Metric>
inline constexpr bool kIsLossMetric = false;
template <class Loss>
inline constexpr bool kIsLossMetric<LossMetric<Loss>> = true;

template <class Metric>
concept MeanMetric = kIsLossMetric<Metric> ||
    AlternativeOf<Metric, std::variant<Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy,
                                       SparseTopKCategoricalAccuracy, LogCoshError, RootMeanSquaredError, CosineSimilarityMetric,
                                       PearsonCorrelation, ConcordanceCorrelation>>;

/// Sum of weights times values, and sum of weights.
constexpr MetricSize kMeanSize = {.sums = 2};

void add_rows(const SparseCategoricalAccuracy& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const CategoricalAccuracy& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const BinaryAccuracy& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const TopKCategoricalAccuracy& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const SparseTopKCategoricalAccuracy& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const LogCoshError& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const RootMeanSquaredError& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const CosineSimilarityMetric& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const PearsonCorrelation& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const ConcordanceCorrelation& metric, const MetricRows& rows, const MetricState& state);
void add_loss_rows(const LossSpec& loss, const MetricRows& rows, const MetricState& state);
template <class Loss>
void add_rows(const LossMetric<Loss>& metric, const MetricRows& rows, const MetricState& state) {
  add_loss_rows(metric.loss, rows, state);
}

/// Sum / count; 0 if nothing was counted.
double mean_of(std::span<const double> sums);

}  // namespace lockstep
