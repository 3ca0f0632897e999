#include "core/compile/metrics.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace lockstep {
namespace {

bool equal_in_any_case(std::string_view name, std::string_view lower) {
  const auto matches = [](char a, char c) { return (a >= 'A' && a <= 'Z' ? static_cast<char>(a - 'A' + 'a') : a) == c; };
  return std::equal(name.begin(), name.end(), lower.begin(), lower.end(), matches);
}

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

// Value of one row: y (truth_width), p (width).
struct RowValue {
  const float* y;
  const float* p;
  std::int64_t width;

  double operator()(const Accuracy&) const { return 0; }  // resolved before
  double operator()(const SparseCategoricalAccuracy&) const {
    const std::int64_t label = class_of(*y, width);
    return label >= 0 && label == argmax(p, width) ? 1 : 0;
  }
  double operator()(const CategoricalAccuracy&) const {
    const std::int64_t label = argmax(y, width);
    return label >= 0 && label == argmax(p, width) ? 1 : 0;
  }
  double operator()(const BinaryAccuracy& accuracy) const {
    return mean(
        [&accuracy](float truth, float output) { return truth == (output > accuracy.threshold ? 1.0F : 0.0F) && !std::isnan(output); });
  }
  double operator()(const TopKCategoricalAccuracy& top) const { return in_top_k(p, width, argmax(y, width), top.k) ? 1 : 0; }
  double operator()(const SparseTopKCategoricalAccuracy& top) const { return in_top_k(p, width, class_of(*y, width), top.k) ? 1 : 0; }
  double operator()(const MeanSquaredErrorMetric&) const {
    return mean([](double truth, double output) { return (truth - output) * (truth - output); });
  }
  double operator()(const MeanAbsoluteErrorMetric&) const {
    return mean([](double truth, double output) { return std::abs(truth - output); });
  }
  double operator()(const RootMeanSquaredError&) const { return (*this)(MeanSquaredErrorMetric{}); }

  template <typename Function>
  double mean(Function f) const {
    double total = 0;
    for (std::int64_t k = 0; k < width; ++k) total += static_cast<double>(f(y[k], p[k]));
    return total / static_cast<double>(width);
  }
};

}  // namespace

MetricSpec metric_from_name(std::string_view name) {
  if (equal_in_any_case(name, "accuracy") || equal_in_any_case(name, "acc")) return {Accuracy{}, std::string(name)};  // as Keras' compile()
  if (const auto found = alternative_called<MetricKind>(name)) return {*found, std::string(name)};
  throw Error(fmt::format("unknown metric '{}'; known are {}", name, known_names<MetricKind>()), kUsage);
}

std::string default_name(const MetricSpec& metric) { return std::string(kind_of(metric.kind).name); }

std::string metric_class(const MetricSpec& metric) { return std::string(kind_of(metric.kind).class_name); }

Mean metric_rows(const MetricSpec& metric, const MetricRows& rows) {
  const MetricKind kind = std::holds_alternative<Accuracy>(metric.kind) ? resolve(metric, rows.truth_width, rows.width).kind : metric.kind;
  Mean total;
  std::visit(
      [&](const auto& one) {
        for (std::int64_t r = 0; r < rows.rows; ++r) {
          if (rows.weight[r] == 0) continue;
          total.sum += RowValue{rows.truth + r * rows.truth_width, rows.output + r * rows.width, rows.width}(one);
          total.count += 1;
        }
      },
      kind);
  return total;
}

double metric_result(const MetricSpec& metric, const Mean& total) {
  const double mean = total.count == 0 ? 0 : total.sum / total.count;
  return std::holds_alternative<RootMeanSquaredError>(metric.kind) ? std::sqrt(mean) : mean;
}

MetricSpec resolve(const MetricSpec& metric, std::int64_t truth_width, std::int64_t output_width, bool logits) {
  MetricSpec resolved = metric;
  if (resolved.name.empty()) resolved.name = default_name(metric);
  if (std::holds_alternative<Accuracy>(metric.kind)) {
    if (output_width == 1) {
      resolved.kind = BinaryAccuracy{.threshold = logits ? 0 : BinaryAccuracy{}.threshold};
    } else if (truth_width == 1) {
      resolved.kind = SparseCategoricalAccuracy{};
    } else {
      resolved.kind = CategoricalAccuracy{};
    }
  }
  std::visit([&](const auto& one) { fields(one, BoundsCheck(default_name(resolved))); }, resolved.kind);
  const bool sparse = std::holds_alternative<SparseCategoricalAccuracy>(resolved.kind) ||
                      std::holds_alternative<SparseTopKCategoricalAccuracy>(resolved.kind);
  const std::int64_t expected = sparse ? 1 : output_width;
  if (truth_width == expected) return resolved;
  throw Error(fmt::format("metric '{}' ({}) with an output of {} numbers per row expects {} per row as truth, but found {}", resolved.name,
                          metric_class(resolved), output_width, expected, truth_width),
              kUsage);
}

}  // namespace lockstep
