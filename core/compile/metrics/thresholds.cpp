#include "core/compile/metrics/thresholds.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace lockstep {
namespace {

double ratio(double part, double whole) { return whole == 0 ? 0 : part / whole; }

/// The one threshold of a metric.
float threshold_of(const Numbers& thresholds, float otherwise) { return thresholds.empty() ? otherwise : thresholds.values.front(); }

void check_one_threshold(const Numbers& thresholds, const std::string& what) {
  if (thresholds.values.size() <= 1) return;
  throw Error(fmt::format("{} has {} thresholds and so as many values, but a metric is one number in the logs; give one threshold, and a "
                          "metric with a name of its own for each further one",
                          what, thresholds.values.size()),
              kUsage);
}

void check_class(const std::optional<std::int64_t>& class_id, const MetricShape& shape, const std::string& what) {
  if (!class_id || *class_id < shape.output_width) return;
  throw Error(fmt::format("{}: class_id is {}, but rows have {} outputs, counted from 0", what, *class_id, shape.output_width), kUsage);
}

/// The counts of numbers between thresholds, for one label or several: [label][bucket][is positive], where bucket b lies above b
/// thresholds.
std::int64_t bucket_counts(std::int64_t thresholds, std::int64_t labels) { return 2 * (thresholds + 1) * labels; }

Confusion confusion_of(std::int64_t thresholds, std::span<const double> counts, std::int64_t label = 0) {
  Confusion confusion(thresholds);
  double positives = 0, negatives = 0;
  const auto count = [&](std::int64_t bucket, bool positive) {
    return ExactCounts::count(counts, (label * (thresholds + 1) + bucket) * 2 + (positive ? 1 : 0));
  };
  for (std::int64_t i = thresholds; i-- > 0;) {  // from the highest down
    const auto at = static_cast<std::size_t>(i);
    confusion.true_positives[at] = positives += count(i + 1, true);
    confusion.false_positives[at] = negatives += count(i + 1, false);
  }
  positives += count(0, true);
  negatives += count(0, false);
  for (std::size_t i = 0; i < confusion.true_positives.size(); ++i) {
    confusion.false_negatives[i] = positives - confusion.true_positives[i];
    confusion.true_negatives[i] = negatives - confusion.false_positives[i];
  }
  return confusion;
}

/// Calls add(k, y, p, weight) for the numbers [first, last) of every row that counts.
template <class Add>
void each_number(const MetricRows& rows, std::int64_t first, std::int64_t last, const Add& add) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    if (rows.present[r] == 0 || rows.weight[r] == 0) continue;
    const float *y = rows.truth + r * rows.truth_width, *p = rows.output + r * rows.width;
    for (std::int64_t k = first; k < last; ++k) add(r, k, y[k], p[k], static_cast<double>(rows.weight[r]));
  }
}

void add_numbers(const Thresholds& thresholds, const MetricRows& rows, const std::optional<std::int64_t>& class_id,
                 const MetricState& state) {
  ExactCounts counts(state.counts);
  each_number(rows, class_id.value_or(0), class_id ? *class_id + 1 : rows.width,
              [&](auto, auto, float y, float p, double weight) { counts.add(thresholds.below(p) * 2 + (y != 0 ? 1 : 0), weight); });
}

/// Whether output k is among the row's `top` largest, the first ones among equals.
bool among_top(const float* outputs, std::int64_t width, std::int64_t k, std::int64_t top) {
  std::int64_t before = 0;
  for (std::int64_t i = 0; i < width; ++i) before += outputs[i] > outputs[k] || (outputs[i] == outputs[k] && i < k);
  return before < top;
}

constexpr float kNone = -1e10F;  // Keras' output that no threshold lies below

Thresholds thresholds_of(const RateAtRate& metric) {
  static constexpr float kHalf = 0.5F;
  if (metric.num_thresholds == 1) return {.values = &kHalf};
  return {.count = metric.num_thresholds, .even = true};
}

/// Whether the thresholds between 0 and 1 lie evenly (numpy.allclose).
bool even_in_keras(const std::vector<float>& inner) {
  const auto last = static_cast<float>(inner.size() + 1);
  for (std::size_t i = 0; i < inner.size(); ++i) {
    const float even = static_cast<float>(i + 1) / last;
    if (!(std::abs(inner[i] - even) <= 1e-7F + 1e-5F * even)) return false;
  }
  return true;
}

Thresholds thresholds_of(const Auc& metric) {
  const auto given = static_cast<std::int64_t>(metric.ends.size());
  return {.count = given > 0 ? given : metric.num_thresholds, .even = metric.even, .below_zero = true, .values = metric.ends.data()};
}

/// The largest of `rate` where `condition` is at least `value`. Keras compares floats.
template <class Rate, class Condition>
double largest_where(const RateAtRate& metric, const MetricState& state, const Rate& rate, const Condition& condition) {
  const Confusion confusion = confusion_of(metric.num_thresholds, state.counts);
  double largest = 0;
  for (std::size_t i = 0; i < confusion.true_positives.size(); ++i) {
    const auto held = static_cast<float>(condition(confusion, i));
    if (held >= metric.value) largest = std::max(largest, rate(confusion, i));
  }
  return largest;
}

double recall_at(const Confusion& c, std::size_t i) { return ratio(c.true_positives[i], c.true_positives[i] + c.false_negatives[i]); }
double precision_at(const Confusion& c, std::size_t i) { return ratio(c.true_positives[i], c.true_positives[i] + c.false_positives[i]); }
double specificity_at(const Confusion& c, std::size_t i) { return ratio(c.true_negatives[i], c.true_negatives[i] + c.false_positives[i]); }

/// Keras' interpolation of the precision-recall curve; Davis and Goadrich, 2006.
double interpolated_pr(const Confusion& c) {
  double area = 0;
  for (std::size_t i = 0; i + 1 < c.true_positives.size(); ++i) {
    const double positive = c.true_positives[i] + c.false_positives[i], next = c.true_positives[i + 1] + c.false_positives[i + 1];
    const double gained = c.true_positives[i] - c.true_positives[i + 1];
    const double slope = ratio(gained, std::max(positive - next, 0.0));
    const double intercept = c.true_positives[i + 1] - slope * next;
    const double log_ratio = positive > 0 && next > 0 ? std::log(positive / next) : 0;
    area += ratio(slope * (gained + intercept * log_ratio), c.true_positives[i + 1] + c.false_negatives[i + 1]);
  }
  return area;
}

struct Point {
  double x, y;
};

Point point_of(Curve curve, const Confusion& c, std::size_t i) {
  if (curve == Curve::roc) return {ratio(c.false_positives[i], c.false_positives[i] + c.true_negatives[i]), recall_at(c, i)};
  if (curve == Curve::pr) return {recall_at(c, i), precision_at(c, i)};
  if (c.true_positives[i] == 0) return {0, 1};
  const double scale = ratio(c.true_positives[i] + c.false_negatives[i], c.true_negatives[i] + c.false_positives[i]);
  return {std::max(0.0, 1 - scale * c.false_negatives[i] / c.true_positives[i]), 1 - scale * c.false_positives[i] / c.true_positives[i]};
}

double area_of(const Auc& metric, const Confusion& confusion) {
  if (metric.curve == Curve::pr && metric.summation_method == SummationMethod::interpolation) return interpolated_pr(confusion);
  double area = 0;
  for (std::size_t i = 0; i + 1 < confusion.true_positives.size(); ++i) {
    const Point one = point_of(metric.curve, confusion, i), next = point_of(metric.curve, confusion, i + 1);
    const double height = metric.summation_method == SummationMethod::interpolation ? (one.y + next.y) / 2
                          : metric.summation_method == SummationMethod::minoring    ? std::min(one.y, next.y)
                                                                                    : std::max(one.y, next.y);
    area += (one.x - next.x) * height;
  }
  return area;
}

float sigmoid_of(float x) { return static_cast<float>(1 / (1 + std::exp(-static_cast<double>(x)))); }

}  // namespace

std::int64_t Thresholds::below(float output) const {
  if (!even) return std::lower_bound(values, values + count, output) - values;
  const float inside = output > 1 ? 1 : output > 0 ? output : 0;  // a NaN is above none
  const auto found = static_cast<std::int64_t>(std::ceil(inside * static_cast<float>(count - 1)));
  return below_zero ? std::max<std::int64_t>(found, 1) : found;
}

Confusion::Confusion(std::int64_t thresholds) {
  for (std::vector<double>* counts : {&true_positives, &false_positives, &true_negatives, &false_negatives})
    counts->resize(static_cast<std::size_t>(thresholds));
}

// --- settings ---

void prepare(const ThresholdCount& metric, const MetricShape&, const std::string& what) { check_one_threshold(metric.thresholds, what); }

void prepare(const ThresholdRate& metric, const MetricShape& shape, const std::string& what) {
  check_one_threshold(metric.thresholds, what);
  check_class(metric.class_id, shape, what);
  if (metric.top_k && *metric.top_k > shape.output_width)
    throw Error(fmt::format("{}: top_k is {}, but rows have {} outputs", what, *metric.top_k, shape.output_width), kUsage);
}

void prepare(const RateAtRate& metric, const MetricShape& shape, const std::string& what) { check_class(metric.class_id, shape, what); }

void prepare(Auc& metric, const MetricShape& shape, const std::string& what) {
  if (metric.num_labels && !metric.multi_label) throw Error(what + ": num_labels is only for multi_label: true", kUsage);
  if (metric.num_labels && *metric.num_labels != shape.output_width)
    throw Error(fmt::format("{}: num_labels is {}, but rows have {} outputs", what, *metric.num_labels, shape.output_width), kUsage);
  const auto weights = static_cast<std::int64_t>(metric.label_weights.values.size());
  if (weights > 0 && weights != shape.output_width)
    throw Error(fmt::format("{}: label_weights are {} numbers, but rows have {} outputs", what, weights, shape.output_width), kUsage);
  if (metric.thresholds.empty()) return;
  std::vector<float> inner = metric.thresholds.values;
  std::sort(inner.begin(), inner.end());
  metric.even = even_in_keras(inner);
  metric.ends.assign(1, -1e-7F);
  metric.ends.insert(metric.ends.end(), inner.begin(), inner.end());
  metric.ends.push_back(1 + 1e-7F);
}

MetricSize size_of(const ThresholdCount&, const MetricShape&) { return {.counts = ExactCounts::length(bucket_counts(1, 1))}; }
MetricSize size_of(const ThresholdRate&, const MetricShape&) { return {.counts = ExactCounts::length(bucket_counts(1, 1))}; }
MetricSize size_of(const RateAtRate& metric, const MetricShape&) {
  return {.counts = ExactCounts::length(bucket_counts(metric.num_thresholds, 1))};
}
MetricSize size_of(const Auc& metric, const MetricShape& shape) {
  return {.counts = ExactCounts::length(bucket_counts(thresholds_of(metric).count, metric.multi_label ? shape.output_width : 1))};
}

// --- rows ---

void add_rows(const ThresholdCount& metric, const MetricRows& rows, const MetricState& state) {
  const float threshold = threshold_of(metric.thresholds, 0.5F);
  add_numbers({.values = &threshold}, rows, {}, state);
}

void add_rows(const ThresholdRate& metric, const MetricRows& rows, const MetricState& state) {
  const float threshold = threshold_of(metric.thresholds, metric.top_k ? kNone : 0.5F);
  const Thresholds one{.values = &threshold};
  if (!metric.top_k) return add_numbers(one, rows, metric.class_id, state);
  ExactCounts counts(state.counts);
  each_number(rows, metric.class_id.value_or(0), metric.class_id ? *metric.class_id + 1 : rows.width,
              [&](std::int64_t r, std::int64_t k, float y, float p, double weight) {
                const float output = among_top(rows.output + r * rows.width, rows.width, k, *metric.top_k) ? p : kNone;
                counts.add(one.below(output) * 2 + (y != 0 ? 1 : 0), weight);
              });
}

void add_rows(const RateAtRate& metric, const MetricRows& rows, const MetricState& state) {
  add_numbers(thresholds_of(metric), rows, metric.class_id, state);
}

void add_rows(const Auc& metric, const MetricRows& rows, const MetricState& state) {
  const Thresholds thresholds = thresholds_of(metric);
  const float* const label_weight = metric.multi_label || metric.label_weights.empty() ? nullptr : metric.label_weights.values.data();
  ExactCounts counts(state.counts);
  each_number(rows, 0, rows.width, [&](auto, std::int64_t k, float y, float p, double weight) {
    const std::int64_t bucket = thresholds.below(metric.from_logits ? sigmoid_of(p) : p);
    const std::int64_t label = metric.multi_label ? k : 0;
    counts.add((label * (thresholds.count + 1) + bucket) * 2 + (y != 0 ? 1 : 0),
               label_weight == nullptr ? weight : weight * label_weight[k]);
  });
}

// --- results ---

double result_of(const TruePositives&, const MetricState& state) { return confusion_of(1, state.counts).true_positives[0]; }
double result_of(const TrueNegatives&, const MetricState& state) { return confusion_of(1, state.counts).true_negatives[0]; }
double result_of(const FalsePositives&, const MetricState& state) { return confusion_of(1, state.counts).false_positives[0]; }
double result_of(const FalseNegatives&, const MetricState& state) { return confusion_of(1, state.counts).false_negatives[0]; }
double result_of(const Precision&, const MetricState& state) { return precision_at(confusion_of(1, state.counts), 0); }
double result_of(const Recall&, const MetricState& state) { return recall_at(confusion_of(1, state.counts), 0); }
double result_of(const SensitivityAtSpecificity& metric, const MetricState& state) {
  return largest_where(metric, state, recall_at, specificity_at);
}
double result_of(const SpecificityAtSensitivity& metric, const MetricState& state) {
  return largest_where(metric, state, specificity_at, recall_at);
}
double result_of(const PrecisionAtRecall& metric, const MetricState& state) {
  return largest_where(metric, state, precision_at, recall_at);
}
double result_of(const RecallAtPrecision& metric, const MetricState& state) {
  return largest_where(metric, state, recall_at, precision_at);
}

double result_of(const Auc& metric, const MetricState& state) {
  const std::int64_t thresholds = thresholds_of(metric).count;
  if (!metric.multi_label) return area_of(metric, confusion_of(thresholds, state.counts));
  const auto labels = static_cast<std::int64_t>(state.counts.size()) / ExactCounts::length(bucket_counts(thresholds, 1));
  double sum = 0, weights = 0;
  for (std::int64_t label = 0; label < labels; ++label) {
    const double weight =
        metric.label_weights.empty() ? 1 : static_cast<double>(metric.label_weights.values[static_cast<std::size_t>(label)]);
    sum += weight * area_of(metric, confusion_of(thresholds, state.counts, label));
    weights += weight;
  }
  return ratio(sum, weights);
}

}  // namespace lockstep
