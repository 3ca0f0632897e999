#include "core/compile/losses/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/error.h"
#include "core/compile/losses/crossentropy.h"
#include "core/compile/losses/errors.h"
#include "core/compile/losses/overlap.h"
#include "core/math/activations.h"

namespace lockstep {
namespace {

template <class... Losses>
bool is_any(const LossSpec& loss) {
  return (std::holds_alternative<Losses>(loss) || ...);
}

struct Kernel {
  const LossRows& rows;
  bool fused;

  template <class Loss>
  void operator()(const Loss& loss) const {
    if constexpr (requires { crossentropy_rows(loss, fused, rows); }) {
      crossentropy_rows(loss, fused, rows);
    } else if constexpr (requires { crossentropy_rows(loss, rows); }) {
      crossentropy_rows(loss, rows);
    } else if constexpr (requires { error_rows(loss, rows); }) {
      error_rows(loss, rows);
    } else {
      overlap_rows(loss, rows);
    }
  }
};

/// The axis of Dice and Tversky.
const std::vector<std::int64_t>* axis_of(const LossSpec& loss) {
  return std::visit(
      [](const auto& one) -> const std::vector<std::int64_t>* {
        if constexpr (requires { one.axis; }) return &one.axis;
        return nullptr;
      },
      loss);
}

/// Why Lockstep does not have a loss of Keras; empty if it is none of these.
std::string why_missing(std::string_view name) {
  if (name == "circle" || name == "Circle")
    return "compares each row of a batch with every other, which are on other ranks; take a loss over single rows";
  if (name == "ctc" || name == "CTC") return "is for sequences of labels, and Lockstep's models give one row of numbers for each row";
  if (name == "ce" || name == "crossentropy")
    return "stands for one of three losses; write binary_crossentropy, categorical_crossentropy or sparse_categorical_crossentropy";
  return "";
}

}  // namespace

std::int64_t class_of(std::span<const float> truth) {
  return truth.size() == 1 ? std::llround(truth.front()) : std::max_element(truth.begin(), truth.end()) - truth.begin();
}

std::string truth_flaw(const LossSpec& loss, std::span<const float> truth, std::int64_t classes) {
  if (takes_labels(loss)) return is_ignored(loss, truth.front()) ? "" : label_flaw(kind_of(loss).name, truth.front(), classes);
  const bool probabilities = wants_sigmoid(loss);  // outside [0, 1] the loss has no lower bound
  const auto wrong =
      std::find_if(truth.begin(), truth.end(), [&](float y) { return probabilities ? !(y >= 0 && y <= 1) : !std::isfinite(y); });
  if (wrong != truth.end()) {
    const std::string column = truth.size() > 1 ? fmt::format(" in column {}", wrong - truth.begin()) : "";
    if (probabilities) return fmt::format("truth {}{} is no probability; {} takes numbers between 0 and 1", *wrong, column, name_of(loss));
    return fmt::format("truth {}{} is not a finite number", *wrong, column);
  }
  if (!is_any<Hinge, SquaredHinge>(loss)) return "";
  // Keras turns 0 into -1 where all numbers of a batch are 0 or 1, so other numbers would make a row's loss depend on its batch.
  const auto odd = std::find_if(truth.begin(), truth.end(), [](float y) { return y != -1 && y != 0 && y != 1; });
  const bool mixed = std::count(truth.begin(), truth.end(), -1.F) > 0 && std::count(truth.begin(), truth.end(), 0.F) > 0;
  if (odd == truth.end() && !mixed) return "";
  return fmt::format("truth {} is no side; {} takes -1 and 1, or 0 and 1", odd == truth.end() ? 0.F : *odd, name_of(loss));
}

void loss_rows(const LossSpec& loss, bool fused, const LossRows& rows) {
  if (fused && !fuses_softmax(loss) && !fuses_sigmoid(loss)) throw Error(name_of(loss) + " has no form from logits", kUsage);
  if (fused && fuses_softmax(loss)) {  // the kernel writes the probabilities of the other rows
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      if (rows.weight[r] == 0 || is_ignored(loss, rows.truth[r * rows.truth_width]))
        activate(softmax, rows.input + r * rows.width, rows.output + r * rows.width, 1, rows.width);
    }
  }
  std::visit(Kernel{rows, fused}, loss);
  if (fused && fuses_sigmoid(loss)) activate(sigmoid, rows.input, rows.output, rows.rows, rows.width);
}

bool over_batch(const LossSpec& loss) {
  const std::vector<std::int64_t>* const axis = axis_of(loss);
  return axis != nullptr && axis->empty();
}

void batch_loss_rows(const LossSpec& loss, Reduction reduction, const LossBatch& batch, const float* present, const LossRows& rows) {
  const Overlap overlap = std::visit(
      [&](const auto& one) {
        if constexpr (requires { overlap_of(one, 0, 0, 0); })
          return overlap_of(one, batch.sums[LossBatch::kProducts], batch.sums[LossBatch::kTruths], batch.sums[LossBatch::kOutputs]);
        return Overlap{};
      },
      loss);
  // Keras multiplies the one value with every weight and reduces these.
  const double share = reduction == Reduction::mean_with_sample_weight ? 1 : batch.sums[LossBatch::kWeights] / batch.rows;
  const double of_truth = share * overlap.slope_of_truth, slope = share * overlap.slope;
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    rows.value[r] = present[r] == 0 ? 0 : share * overlap.value;
    if (rows.delta == nullptr) continue;
    for (std::int64_t k = r * rows.width; k < (r + 1) * rows.width; ++k)
      rows.delta[k] = present[r] == 0 ? 0.F : static_cast<float>(of_truth * rows.truth[k] + slope);
  }
}

bool needs_batch(const LossSpec& loss, Reduction reduction) {
  const auto* const sparse = std::get_if<SparseCategoricalCrossentropy>(&loss);
  return over_batch(loss) || reduction == Reduction::mean_with_sample_weight || (sparse != nullptr && sparse->ignore_class.has_value());
}

void add_to_batch(const LossSpec& loss, const float* present, const LossRows& rows, std::span<double, LossBatch::kSums> sums) {
  const bool whole = over_batch(loss);
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    if (present[r] == 0) continue;
    const float *y = rows.truth + r * rows.truth_width, *p = rows.input + r * rows.width;
    sums[LossBatch::kWeights] += static_cast<double>(rows.weight[r]);
    if (!is_ignored(loss, *y)) {
      sums[LossBatch::kCounting] += 1;
      sums[LossBatch::kCountingWeights] += static_cast<double>(rows.weight[r]);
    }
    for (std::int64_t k = 0; whole && k < rows.width; ++k) {
      sums[LossBatch::kProducts] += static_cast<double>(y[k]) * p[k];
      sums[LossBatch::kTruths] += static_cast<double>(y[k]);
      sums[LossBatch::kOutputs] += static_cast<double>(p[k]);
    }
  }
}

double row_scale(const LossSpec& loss, Reduction reduction, const LossBatch& batch) {
  if (reduction == Reduction::sum) return 1;
  const double rows = !needs_batch(loss, reduction)                     ? batch.rows
                      : reduction == Reduction::mean_with_sample_weight ? batch.sums[LossBatch::kCountingWeights]
                                                                        : batch.sums[LossBatch::kCounting];
  return rows == 0 ? 0 : 1 / rows;
}

LossSpec loss_from_name(std::string_view name) {
  if (const auto found = alternative_called<LossSpec>(name)) return *found;
  if (const std::string why = why_missing(name); !why.empty())
    throw Error(fmt::format("unknown loss '{}': Keras' {} {}", name, name, why), kUsage);
  throw Error(fmt::format("unknown loss '{}'; known are {}", name, known_names<LossSpec>()), kUsage);
}

std::string name_of(const LossSpec& loss) { return std::string(kind_of(loss).name); }

bool fuses_softmax(const LossSpec& loss) { return is_any<SparseCategoricalCrossentropy, CategoricalCrossentropy>(loss); }

bool fuses_sigmoid(const LossSpec& loss) { return is_any<BinaryCrossentropy>(loss); }

bool wants_softmax(const LossSpec& loss) {
  return fuses_softmax(loss) || is_any<CategoricalFocalCrossentropy, CategoricalGeneralizedCrossEntropy>(loss);
}

bool wants_sigmoid(const LossSpec& loss) { return fuses_sigmoid(loss) || is_any<BinaryFocalCrossentropy>(loss); }

std::optional<bool> from_logits(const LossSpec& loss) {
  return std::visit(
      [](const auto& one) -> std::optional<bool> {
        if constexpr (requires { one.from_logits; }) return one.from_logits;
        return {};
      },
      loss);
}

bool has_classes(const LossSpec& loss) { return wants_softmax(loss) || is_any<CategoricalHinge>(loss); }

bool takes_labels(const LossSpec& loss) { return is_any<SparseCategoricalCrossentropy, CategoricalGeneralizedCrossEntropy>(loss); }

bool is_ignored(const LossSpec& loss, float label) {
  const auto* const sparse = std::get_if<SparseCategoricalCrossentropy>(&loss);
  return sparse != nullptr && sparse->ignore_class && label == static_cast<float>(*sparse->ignore_class);
}

void check_loss_shapes(const LossSpec& loss, std::int64_t truth_width, std::int64_t output_width) {
  std::visit([&](const auto& one) { fields(one, BoundsCheck(name_of(loss))); }, loss);
  const std::vector<std::int64_t>* const axis = axis_of(loss);
  if (axis != nullptr && !axis->empty() && *axis != std::vector<std::int64_t>{1} && *axis != std::vector<std::int64_t>{-1}) {
    throw Error(name_of(loss) + ": axis must be -1, for a value of each row, or left out, for one value of the batch", kUsage);
  }
  const auto* const focal = std::get_if<CategoricalFocalCrossentropy>(&loss);
  if (const std::size_t alphas = focal == nullptr ? 1 : focal->alpha.values.size();
      alphas != 1 && alphas != static_cast<std::size_t>(output_width)) {
    throw Error(
        fmt::format("{}: alpha is {} numbers; give one number, or one for each of the {} classes", name_of(loss), alphas, output_width),
        kUsage);
  }
  if (takes_labels(loss)) {
    if (truth_width == 1) return;
    throw Error(
        fmt::format("{} expects one class index per row, but the truth has {} numbers per row; for one-hot rows as wide as the output "
                    "use categorical_crossentropy",
                    name_of(loss), truth_width),
        kUsage);
  }
  if (truth_width == output_width) return;
  const bool labels = has_classes(loss) && truth_width == 1;
  throw Error(fmt::format("{} expects truth as wide as the output, {} numbers per row, but found {}{}", name_of(loss), output_width,
                          truth_width, labels ? "; for class indices use sparse_categorical_crossentropy" : ""),
              kUsage);
}

void check_reduction(const LossSpec& loss, Reduction reduction) {
  if (reduction != Reduction::sum || !over_batch(loss)) return;
  throw Error(name_of(loss) + " over a batch is one value, which has no sum; leave the reduction out, or give axis: -1", kUsage);
}

}  // namespace lockstep
