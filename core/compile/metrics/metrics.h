#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/compile/kinds.h"
#include "core/compile/metrics/f_scores.h"
#include "core/compile/metrics/iou.h"
#include "core/compile/metrics/means.h"
#include "core/compile/metrics/r2_score.h"
#include "core/compile/metrics/state.h"
#include "core/compile/metrics/thresholds.h"

namespace lockstep {

// Metrics as in keras/src/metrics: all that compare a truth with an output. The state of each adds up over rows, batches and ranks.

using MetricKind =
    std::variant<Accuracy, SparseCategoricalAccuracy, CategoricalAccuracy, BinaryAccuracy, TopKCategoricalAccuracy,
                 SparseTopKCategoricalAccuracy, MeanSquaredErrorMetric, MeanAbsoluteErrorMetric, RootMeanSquaredError,
                 LossMetric<MeanAbsolutePercentageError>, LossMetric<MeanSquaredLogarithmicError>, LogCoshError, CosineSimilarityMetric,
                 PearsonCorrelation, ConcordanceCorrelation, R2Score, LossMetric<BinaryCrossentropy>, LossMetric<CategoricalCrossentropy>,
                 LossMetric<SparseCategoricalCrossentropy>, LossMetric<KLDivergence>, LossMetric<Poisson>, LossMetric<Hinge>,
                 LossMetric<SquaredHinge>, LossMetric<CategoricalHinge>, TruePositives, TrueNegatives, FalsePositives, FalseNegatives,
                 Precision, Recall, SensitivityAtSpecificity, SpecificityAtSensitivity, PrecisionAtRecall, RecallAtPrecision, Auc,
                 FBetaScore, F1Score, IoU, BinaryIoU, MeanIoU, OneHotIoU, OneHotMeanIoU>;

struct MetricSpec {
  MetricKind kind;
  std::string name = {};  ///< key in logs; a metric given by its string has that string as name, as in Keras
  bool weighted = false;  ///< counts rows by their weights: Keras' `weighted_metrics`
};

/// `metrics = {accuracy, "mse"}`
inline const MetricSpec accuracy{Accuracy{}, "accuracy"};

/// The same metric among Keras' `weighted_metrics`.
MetricSpec weighted(MetricSpec metric);

/// Keras' strings ("accuracy", "mse", "RootMeanSquaredError", ...), class and snake_case names; unknown: Error (kUsage) listing the known.
MetricSpec metric_from_name(std::string_view name);
/// Keras' own name of an object of the class ("root_mean_squared_error"), and the class.
std::string default_name(const MetricSpec& metric);
std::string metric_class(const MetricSpec& metric);
/// Which end of its values is the good one.
bool larger_is_better(const MetricSpec& metric);
/// The same of a value of the logs, "val_" or not; false of what is none of the metrics, such as the loss.
bool larger_is_better(std::string_view value, std::span<const MetricSpec> metrics);

/// The metric with its name and settings complete, `Accuracy` turned into what the shapes make it. Settings or shapes that do not fit are
/// an Error (kUsage), and so is a metric of more than one value.
MetricSpec resolve(const MetricSpec& metric, const MetricShape& shape);

// Of metrics that resolve() has returned:

/// The length of its state for rows of this shape.
MetricSize size_of(const MetricSpec& metric, const MetricShape& shape);
/// Adds rows to a state; padding is left out.
void add_rows(const MetricSpec& metric, const MetricRows& rows, const MetricState& state);
/// What is shown.
double result_of(const MetricSpec& metric, const MetricState& state);

}  // namespace lockstep
