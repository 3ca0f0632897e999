#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/compile/kinds.h"
#include "core/compile/metrics/state.h"

namespace lockstep {

// Intersection over union, TP / (TP + FP + FN) of classes, and its mean; keras/src/metrics/iou_metrics.py. Their state is a confusion
// matrix. Numbers are cut to whole ones, weights too, as Keras' default type does.

/// What the kinds have in common.
struct IouClasses {
  std::int64_t num_classes = 0;
  std::vector<std::int64_t> target_class_ids = {};  ///< whose mean is taken; empty: all
  std::optional<std::int64_t> ignore_class = {};    ///< truth of this class is left out
  bool sparse_y_true = true;                        ///< the truth is class indices; false: its largest number is
  bool sparse_y_pred = true;                        ///< the same of the output
};
struct IoU : IouClasses {
  static constexpr Kind kKind = {.class_name = "IoU", .name = "io_u"};
};
struct MeanIoU : IouClasses {
  static constexpr Kind kKind = {.class_name = "MeanIoU", .name = "mean_io_u"};
};
struct OneHotIoU : IouClasses {
  static constexpr Kind kKind = {.class_name = "OneHotIoU", .name = "one_hot_io_u"};
  OneHotIoU() { sparse_y_true = sparse_y_pred = false; }
};
struct OneHotMeanIoU : IouClasses {
  static constexpr Kind kKind = {.class_name = "OneHotMeanIoU", .name = "one_hot_mean_io_u"};
  OneHotMeanIoU() { sparse_y_true = sparse_y_pred = false; }
};
/// Two classes: outputs of at least `threshold`, and the others.
struct BinaryIoU : IouClasses {
  static constexpr Kind kKind = {.class_name = "BinaryIoU", .name = "binary_io_u"};
  BinaryIoU() {
    num_classes = 2;
    target_class_ids = {0, 1};
  }
  float threshold = 0.5F;
};

template <class S, class Visit>
requires std::is_base_of_v<IouClasses, S>
void fields(S& metric, Visit&& visit) {
  using Metric = std::remove_const_t<S>;
  constexpr bool kBinary = std::is_same_v<Metric, BinaryIoU>,
                 kOneHot = std::is_same_v<Metric, OneHotIoU> || std::is_same_v<Metric, OneHotMeanIoU>;
  if constexpr (!kBinary) visit(Field{.name = "num_classes", .bounds = between(1, 65536), .required = true}, metric.num_classes);
  if constexpr (kBinary || std::is_same_v<Metric, IoU> || std::is_same_v<Metric, OneHotIoU>)
    visit(Field{.name = "target_class_ids", .bounds = at_least(0), .required = !kBinary}, metric.target_class_ids);
  if constexpr (kBinary) {
    visit(Field{"threshold"}, metric.threshold);
  } else {
    visit(Field{"ignore_class"}, metric.ignore_class);
    if constexpr (!kOneHot) visit(Field{"sparse_y_true"}, metric.sparse_y_true);
    visit(Field{"sparse_y_pred"}, metric.sparse_y_pred);
  }
}

/// Checks the settings; `what` begins the Error (kUsage).
void prepare(const IouClasses& metric, const MetricShape& shape, const std::string& what);
MetricSize size_of(const IouClasses& metric, const MetricShape& shape);
void add_rows(const IouClasses& metric, const MetricRows& rows, const MetricState& state);
void add_rows(const BinaryIoU& metric, const MetricRows& rows, const MetricState& state);
double result_of(const IouClasses& metric, const MetricState& state);

}  // namespace lockstep
