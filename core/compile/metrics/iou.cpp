#include "core/compile/metrics/iou.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace lockstep {
namespace {

/// A number cut to a class index; -1 if it is none.
std::int64_t class_of(float number, std::int64_t classes) {
  const float whole = std::trunc(number);
  return whole >= 0 && whole < static_cast<float>(classes) ? static_cast<std::int64_t>(whole) : -1;
}

std::int64_t largest_of(const float* numbers, std::int64_t width) { return std::max_element(numbers, numbers + width) - numbers; }

/// Numbers of a row that are class indices.
std::int64_t indices(bool sparse, std::int64_t width) { return sparse ? width : 1; }

/// Adds the rows; output(p, k) is the class index that output k of a row stands for.
template <class Output>
void add(const IouClasses& metric, const MetricRows& rows, const MetricState& state, const Output& output) {
  ExactCounts counts(state.counts);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    if (rows.present[r] == 0) continue;
    const float *y = rows.truth + r * rows.truth_width, *p = rows.output + r * rows.width;
    const double weight = std::trunc(static_cast<double>(rows.weight[r]));
    for (std::int64_t k = 0; k < indices(metric.sparse_y_true, rows.truth_width); ++k) {
      const std::int64_t index = metric.sparse_y_true ? class_of(y[k], metric.num_classes) : largest_of(y, rows.truth_width);
      const std::int64_t answer = output(p, k);
      if (index < 0 || answer < 0 || index >= metric.num_classes || answer >= metric.num_classes || index == metric.ignore_class) continue;
      counts.add(index * metric.num_classes + answer, weight);
    }
  }
}

}  // namespace

void prepare(const IouClasses& metric, const MetricShape& shape, const std::string& what) {
  for (const std::int64_t id : metric.target_class_ids) {
    if (id >= metric.num_classes)
      throw Error(fmt::format("{}: target_class_ids has {}, which must lie below num_classes, {}", what, id, metric.num_classes), kUsage);
  }
  const std::int64_t truths = indices(metric.sparse_y_true, shape.truth_width), outputs = indices(metric.sparse_y_pred, shape.output_width);
  if (truths == outputs) return;
  throw Error(
      fmt::format("{} compares {} numbers of the truth with {} of the output per row; for rows of probabilities give sparse_y_pred: "
                  "false, for one-hot truth sparse_y_true: false",
                  what, truths, outputs),
      kUsage);
}

MetricSize size_of(const IouClasses& metric, const MetricShape&) {
  return {.counts = ExactCounts::length(metric.num_classes * metric.num_classes)};
}

void add_rows(const IouClasses& metric, const MetricRows& rows, const MetricState& state) {
  add(metric, rows, state, [&](const float* p, std::int64_t k) {
    return metric.sparse_y_pred ? class_of(p[k], metric.num_classes) : largest_of(p, rows.width);
  });
}

void add_rows(const BinaryIoU& metric, const MetricRows& rows, const MetricState& state) {
  add(metric, rows, state, [&](const float* p, std::int64_t k) -> std::int64_t { return p[k] >= metric.threshold ? 1 : 0; });
}

double result_of(const IouClasses& metric, const MetricState& state) {
  constexpr double kEpsilon = 1e-7F;
  const std::int64_t classes = metric.num_classes;
  const auto count = [&](std::int64_t truth, std::int64_t output) { return ExactCounts::count(state.counts, truth * classes + output); };
  double sum = 0, valid = 0;
  const auto add_class = [&](std::int64_t c) {
    double either = -count(c, c);
    for (std::int64_t other = 0; other < classes; ++other) either += count(c, other) + count(other, c);
    if (either <= 1e-9) return;  // a class that is nowhere
    sum += count(c, c) / (either + kEpsilon);
    valid += 1;
  };
  for (const std::int64_t c : metric.target_class_ids) add_class(c);
  for (std::int64_t c = 0; metric.target_class_ids.empty() && c < classes; ++c) add_class(c);
  return sum / (valid + kEpsilon);
}

}  // namespace lockstep
