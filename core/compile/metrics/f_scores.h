#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "core/compile/kinds.h"
#include "core/compile/metrics/state.h"

namespace lockstep {

// F-scores; keras/src/metrics/f_score_metrics.py. The truth is one-hot, or a row of flags.

/// How the scores of the classes become one.
enum class Average { none, micro, macro, weighted };
constexpr std::array<std::pair<std::string_view, Average>, 4> choices(Average) {
  return {{{"micro", Average::micro}, {"macro", Average::macro}, {"weighted", Average::weighted}, {"none", Average::none}}};
}

struct FScore {
  Average average = Average::none;      ///< Keras' default, which is a score for each class: an Error, as a metric is one number
  std::optional<float> threshold = {};  ///< outputs above it are positive; none: the largest output of the row
};
/// (1 + beta^2) precision recall / (beta^2 precision + recall)
struct FBetaScore : FScore {
  static constexpr Kind kKind = {.class_name = "FBetaScore", .name = "f_beta_score"};
  static constexpr std::string_view kDefaultName = "fbeta_score";
  float beta = 1;
};
struct F1Score : FScore {
  static constexpr Kind kKind = {.class_name = "F1Score", .name = "f1_score"};
};

template <Is<FBetaScore> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"average"}, metric.average);
  visit(Field{"beta", above(0)}, metric.beta);
  visit(Field{"threshold", Bounds{.least = 0, .most = 1, .above = true}}, metric.threshold);
}
template <Is<F1Score> S, class Visit>
void fields(S& metric, Visit&& visit) {
  visit(Field{"average"}, metric.average);
  visit(Field{"threshold", Bounds{.least = 0, .most = 1, .above = true}}, metric.threshold);
}

/// Checks the settings; `what` begins the Error (kUsage).
void prepare(const FScore& metric, const MetricShape& shape, const std::string& what);
MetricSize size_of(const FScore& metric, const MetricShape& shape);
void add_rows(const FScore& metric, const MetricRows& rows, const MetricState& state);
double result_of(const FBetaScore& metric, const MetricState& state);
double result_of(const F1Score& metric, const MetricState& state);

}  // namespace lockstep
