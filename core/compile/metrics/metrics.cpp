#include "core/compile/metrics/metrics.h"

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

template <class Metric>
constexpr bool kTakesLabels =
    AlternativeOf<Metric,
                  std::variant<SparseCategoricalAccuracy, SparseTopKCategoricalAccuracy, LossMetric<SparseCategoricalCrossentropy>>>;

/// What Keras wants as large as possible.
template <class Metric>
constexpr bool kLargerIsBetter =
    !kIsLossMetric<Metric> && !AlternativeOf<Metric, std::variant<RootMeanSquaredError, LogCoshError, FalsePositives, FalseNegatives>>;

/// The kind that the shapes make of Accuracy. A logit above 0 is a probability above 0.5.
MetricKind accuracy_of(const MetricShape& shape) {
  if (shape.output_width == 1) return BinaryAccuracy{.threshold = shape.logits ? 0 : BinaryAccuracy{}.threshold};
  if (shape.truth_width == 1) return SparseCategoricalAccuracy{};
  return CategoricalAccuracy{};
}

void expect_truth(const MetricSpec& metric, const MetricShape& shape, std::int64_t expected) {
  if (shape.truth_width == expected) return;
  throw Error(fmt::format("metric '{}' ({}) with an output of {} numbers per row expects {} per row as truth, but found {}", metric.name,
                          metric_class(metric), shape.output_width, expected, shape.truth_width),
              kUsage);
}

/// Within one number there is no correlation.
void expect_several(const MetricSpec& metric, const MetricShape& shape) {
  if (shape.output_width > 1) return;
  throw Error(fmt::format("metric '{}' ({}) correlates the numbers of each row, but rows have one output; R2Score goes over rows",
                          metric.name, metric_class(metric)),
              kUsage);
}

}  // namespace

MetricSpec weighted(MetricSpec metric) {
  metric.weighted = true;
  return metric;
}

MetricSpec metric_from_name(std::string_view name) {
  if (equal_in_any_case(name, "accuracy") || equal_in_any_case(name, "acc")) return {Accuracy{}, std::string(name)};  // as Keras' compile()
  if (const auto found = alternative_called<MetricKind>(name)) return {*found, std::string(name)};
  throw Error(fmt::format("unknown metric '{}'; known are {}", name, known_names<MetricKind>()), kUsage);
}

std::string default_name(const MetricSpec& metric) {
  return std::visit(
      []<class Metric>(const Metric&) {
        if constexpr (requires { Metric::kDefaultName; }) {
          return std::string(Metric::kDefaultName);
        } else {
          return std::string(Metric::kKind.name);
        }
      },
      metric.kind);
}

std::string metric_class(const MetricSpec& metric) { return std::string(kind_of(metric.kind).class_name); }

bool larger_is_better(const MetricSpec& metric) {
  return std::visit([]<class Metric>(const Metric&) { return kLargerIsBetter<Metric>; }, metric.kind);
}

bool larger_is_better(std::string_view value, std::span<const MetricSpec> metrics) {
  if (value.starts_with("val_")) value.remove_prefix(4);
  const auto found = std::find_if(metrics.begin(), metrics.end(), [&](const MetricSpec& metric) { return metric.name == value; });
  return found != metrics.end() && larger_is_better(*found);
}

MetricSpec resolve(const MetricSpec& metric, const MetricShape& shape) {
  MetricSpec resolved = metric;
  if (resolved.name.empty()) resolved.name = default_name(metric);
  if (std::holds_alternative<Accuracy>(metric.kind)) resolved.kind = accuracy_of(shape);
  const std::string what = fmt::format("metric '{}' ({})", resolved.name, metric_class(resolved));
  std::visit(
      [&]<class Metric>(Metric& one) {
        const BoundsCheck check(what);
        fields(std::as_const(one), Overloaded{[&](const Field& field, const std::optional<std::int64_t>& value) {
                                                if (value) check(field, *value);
                                              },
                                              [&](const auto&... setting) { check(setting...); }});
        if constexpr (!std::is_base_of_v<IouClasses, Metric> || std::is_same_v<Metric, BinaryIoU>)
          expect_truth(resolved, shape, kTakesLabels<Metric> ? 1 : shape.output_width);
        if constexpr (std::is_same_v<Metric, PearsonCorrelation> || std::is_same_v<Metric, ConcordanceCorrelation>)
          expect_several(resolved, shape);
        if constexpr (requires { prepare(one, shape, what); }) prepare(one, shape, what);
      },
      resolved.kind);
  return resolved;
}

MetricSize size_of(const MetricSpec& metric, const MetricShape& shape) {
  return std::visit(
      [&]<class Metric>(const Metric& one) {
        if constexpr (MeanMetric<Metric>) {
          return kMeanSize;
        } else {
          return size_of(one, shape);
        }
      },
      metric.kind);
}

void add_rows(const MetricSpec& metric, const MetricRows& rows, const MetricState& state) {
  std::visit(Overloaded{[](const Accuracy&) { throw Error("a metric is used before it is resolved"); },
                        [&](const auto& one) { add_rows(one, rows, state); }},
             metric.kind);
}

double result_of(const MetricSpec& metric, const MetricState& state) {
  return std::visit(
      [&]<class Metric>(const Metric& one) {
        if constexpr (std::is_same_v<Metric, RootMeanSquaredError>) {
          return std::sqrt(mean_of(state.sums));
        } else if constexpr (MeanMetric<Metric>) {
          return mean_of(state.sums);
        } else {
          return result_of(one, state);
        }
      },
      metric.kind);
}

}  // namespace lockstep
