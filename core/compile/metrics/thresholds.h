#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string_view>
#include <utility>
#include <vector>

#include "core/compile/kinds.h"
#include "core/compile/metrics/state.h"

namespace lockstep {

// Metrics that compare outputs with thresholds; keras/src/metrics/confusion_metrics.py. Every number of a row is an answer of its own: it
// is positive if it is above the threshold, and right if its truth is not 0. Their state has the numbers between each two thresholds.

/// The thresholds of one metric, ascending.
struct Thresholds {
  std::int64_t count = 1;
  bool even = false;        ///< i / (count - 1), found by Keras' product in float; else `values`
  bool below_zero = false;  ///< of even ones: the first lies below 0 and the last above 1
  const float* values = nullptr;

  /// How many lie below an output.
  std::int64_t below(float output) const;
};

/// Right and wrong answers at each threshold.
struct Confusion {
  explicit Confusion(std::int64_t thresholds);
  std::vector<double> true_positives, false_positives, true_negatives, false_negatives;
};

/// What four metrics have in common: outputs above `thresholds`, one number, or 0.5 if there is none.
struct ThresholdCount {
  Numbers thresholds = {};
};
struct TruePositives : ThresholdCount {
  static constexpr Kind kKind = {.class_name = "TruePositives", .name = "true_positives"};
};
struct TrueNegatives : ThresholdCount {
  static constexpr Kind kKind = {.class_name = "TrueNegatives", .name = "true_negatives"};
};
struct FalsePositives : ThresholdCount {
  static constexpr Kind kKind = {.class_name = "FalsePositives", .name = "false_positives"};
};
struct FalseNegatives : ThresholdCount {
  static constexpr Kind kKind = {.class_name = "FalseNegatives", .name = "false_negatives"};
};

/// A rate at one threshold, 0.5 if there is none.
struct ThresholdRate {
  Numbers thresholds = {};
  std::optional<std::int64_t> top_k = {};     ///< the k largest outputs of a row are positive, above `thresholds` if it is given
  std::optional<std::int64_t> class_id = {};  ///< this number of each row alone
};
struct Precision : ThresholdRate {
  static constexpr Kind kKind = {.class_name = "Precision", .name = "precision"};
};
struct Recall : ThresholdRate {
  static constexpr Kind kKind = {.class_name = "Recall", .name = "recall"};
};

/// The largest rate over thresholds at which another rate is at least a value.
struct RateAtRate {
  float value = 0.5F;
  std::int64_t num_thresholds = 200;
  std::optional<std::int64_t> class_id = {};
};
struct SensitivityAtSpecificity : RateAtRate {
  static constexpr Kind kKind = {.class_name = "SensitivityAtSpecificity", .name = "sensitivity_at_specificity"};
  static constexpr const char* kValue = "specificity";
};
struct SpecificityAtSensitivity : RateAtRate {
  static constexpr Kind kKind = {.class_name = "SpecificityAtSensitivity", .name = "specificity_at_sensitivity"};
  static constexpr const char* kValue = "sensitivity";
};
struct PrecisionAtRecall : RateAtRate {
  static constexpr Kind kKind = {.class_name = "PrecisionAtRecall", .name = "precision_at_recall"};
  static constexpr const char* kValue = "recall";
};
struct RecallAtPrecision : RateAtRate {
  static constexpr Kind kKind = {.class_name = "RecallAtPrecision", .name = "recall_at_precision"};
  static constexpr const char* kValue = "precision";
};

enum class Curve { roc, pr, prgain };
constexpr std::array<std::pair<std::string_view, Curve>, 6> choices(Curve) {
  return {{{"ROC", Curve::roc},
           {"PR", Curve::pr},
           {"PRGAIN", Curve::prgain},
           {"roc", Curve::roc},
           {"pr", Curve::pr},
           {"prgain", Curve::prgain}}};
}
enum class SummationMethod { interpolation, majoring, minoring };
constexpr std::array<std::pair<std::string_view, SummationMethod>, 3> choices(SummationMethod) {
  return {{{"interpolation", SummationMethod::interpolation},
           {"majoring", SummationMethod::majoring},
           {"minoring", SummationMethod::minoring}}};
}

/// Area under a curve over thresholds.
struct Auc {
  static constexpr Kind kKind = {.class_name = "AUC", .name = "auc"};
  std::int64_t num_thresholds = 200;  ///< evenly from 0 to 1
  Curve curve = Curve::roc;
  SummationMethod summation_method = SummationMethod::interpolation;
  Numbers thresholds = {};   ///< in place of num_thresholds
  bool multi_label = false;  ///< a curve for each number of a row, and the mean of the areas
  std::optional<std::int64_t> num_labels = {};
  Numbers label_weights = {};  ///< of the areas, or of the answers where there is one curve
  bool from_logits = false;

  // What prepare() makes of `thresholds`:
  std::vector<float> ends = {};  ///< they, sorted, between Keras' ends
  bool even = true;              ///< they lie evenly, so that Keras finds an output's by a product
};

template <class S, class Visit>
requires Is<S, TruePositives> || Is<S, TrueNegatives> || Is<S, FalsePositives> || Is<S, FalseNegatives>
void fields(S& metric, Visit&& visit) { visit(Field{"thresholds", between(0, 1)}, metric.thresholds); }
template <class S, class Visit>
requires Is<S, Precision> || Is<S, Recall>
void fields(S& metric, Visit&& visit) {
  visit(Field{"thresholds", between(0, 1)}, metric.thresholds);
  visit(Field{"top_k", at_least(1)}, metric.top_k);
  visit(Field{"class_id", at_least(0)}, metric.class_id);
}
template <class S, class Visit>
requires std::is_base_of_v<RateAtRate, S>
void fields(S& metric, Visit&& visit) {
  visit(Field{"num_thresholds", between(1, 1e6)}, metric.num_thresholds);
  visit(Field{.name = std::remove_const_t<S>::kValue, .bounds = between(0, 1), .required = true}, metric.value);
  visit(Field{"class_id", at_least(0)}, metric.class_id);
}
template <Is<Auc> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"num_thresholds", between(2, 1e6)}, metric.num_thresholds);
  visit(Field{"curve"}, metric.curve);
  visit(Field{"summation_method"}, metric.summation_method);
  visit(Field{"multi_label"}, metric.multi_label);
  visit(Field{"num_labels", at_least(1)}, metric.num_labels);
  visit(Field{"label_weights", at_least(0)}, metric.label_weights);
  visit(Field{"from_logits"}, metric.from_logits);
  visit(Field{"thresholds", between(0, 1)}, metric.thresholds);
}

/// Checks that the settings fit the rows and completes them; `what` begins the Error (kUsage).
void prepare(const ThresholdCount& metric, const MetricShape& shape, const std::string& what);
void prepare(const ThresholdRate& metric, const MetricShape& shape, const std::string& what);
void prepare(const RateAtRate& metric, const MetricShape& shape, const std::string& what);
void prepare(Auc& metric, const MetricShape& shape, const std::string& what);

MetricSize size_of(const ThresholdCount& metric, const MetricShape& shape);
MetricSize size_of(const ThresholdRate& metric, const MetricShape& shape);
MetricSize size_of(const RateAtRate& metric, const MetricShape& shape);
MetricSize size_of(const Auc& metric, const MetricShape& shape);

void add_rows(const ThresholdCount& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const ThresholdRate& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const RateAtRate& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const Auc& metric, const MetricRows& rows, const MetricState& state);

double result_of(const TruePositives& metric, const MetricState& state);
double result_of(const TrueNegatives& metric, const MetricState& state);
double result_of(const FalsePositives& metric, const MetricState& state);
double result_of(const FalseNegatives& metric, const MetricState& state);
double result_of(const Precision& metric, const MetricState& state);
double result_of(const Recall& metric, const MetricState& state);
double result_of(const SensitivityAtSpecificity& metric, const MetricState& state);
double result_of(const SpecificityAtSensitivity& metric, const MetricState& state);
double result_of(const PrecisionAtRecall& metric, const MetricState& state);
double result_of(const RecallAtPrecision& metric, const MetricState& state);
double result_of(const Auc& metric, const MetricState& state);

}  // namespace lockstep
