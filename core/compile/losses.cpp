#include "core/compile/losses.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/clones.h"
#include "cluster/error.h"
#include "core/data/truth_error.h"
#include "core/math/activations.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

// Keras clips probabilities to [epsilon, 1 - epsilon] in float; these are the two floats.
constexpr double kLowest = 1e-7F;
constexpr double kHighest = 1.0F - 1e-7F;

double clipped(double p) { return p < kLowest ? kLowest : p > kHighest ? kHighest : p; }
bool is_clipped(double p) { return p < kLowest || p > kHighest; }

// Row r of a block; `step` = dL/dvalue of the row.
struct Row {
  const float* truth;
  const float* input;
  float* output;
  float* delta;
  double* value;
  std::int64_t width;
  double step;
};

// Calls `row_loss` for the rows that count. Rows of weight 0 may hold anything: value and delta 0.
template <typename RowLoss>
[[gnu::always_inline]] inline void for_rows(const LossRows& rows, RowLoss row_loss) {
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    const std::int64_t first = r * rows.width;
    float* const delta = rows.delta == nullptr ? nullptr : rows.delta + first;
    if (rows.weight[r] == 0) {
      rows.value[r] = 0;
      if (delta != nullptr) std::fill_n(delta, rows.width, 0.0F);
      continue;
    }
    row_loss(r, Row{rows.truth + r * rows.truth_width, rows.input + first, rows.output == nullptr ? nullptr : rows.output + first, delta,
                    rows.value + r, rows.width, static_cast<double>(rows.weight[r]) * rows.scale});
  }
}

// Losses that are a mean over the row: value(y, p) and slope(y, p) = dvalue/dp.
template <typename Value, typename Slope>
[[gnu::always_inline]] inline void mean_over_row(const LossRows& rows, Value value, Slope slope) {
  for_rows(rows, [value, slope](std::int64_t, const Row& row) {
    const auto width = static_cast<double>(row.width);
    *row.value = sum(row.truth, row.input, row.width, value) / width;
    if (row.delta == nullptr) return;
    const double step = row.step / width;
    map(row.truth, row.input, row.delta, row.width, [step, slope](float y, float p) { return static_cast<float>(step * slope(y, p)); });
  });
}

LOCKSTEP_CLONES void squared_error(const LossRows& rows) {
  mean_over_row(
      rows,
      [](double y, double p) {
        const double e = p - y;
        return e * e;
      },
      [](double y, double p) { return 2 * (p - y); });
}

LOCKSTEP_CLONES void absolute_error(const LossRows& rows) {
  mean_over_row(
      rows,
      [](double y, double p) {
        const double e = p - y;
        return e < 0 ? -e : e;
      },
      [](double y, double p) {
        const double e = p - y;
        return e > 0 ? 1.0 : e < 0 ? -1.0 : e;  // 0 at 0; NaN stays NaN
      });
}

LOCKSTEP_CLONES void huber(const LossRows& rows, double limit) {
  mean_over_row(
      rows,
      [limit](double y, double p) {
        const double e = p - y, size = e < 0 ? -e : e;
        const double near = 0.5 * e * e, far = limit * size - 0.5 * limit * limit;
        return size <= limit ? near : far;
      },
      [limit](double y, double p) {
        const double e = p - y;
        return e > limit ? limit : e < -limit ? -limit : e;
      });
}

void binary_from_probabilities(const LossRows& rows, double smoothing) {
  const auto target = [smoothing](double y) { return y * (1 - smoothing) + 0.5 * smoothing; };
  mean_over_row(
      rows,
      [target](double y, double p) {
        const double t = target(y), q = clipped(p);
        return -(t * std::log(q) + (1 - t) * std::log(1 - q));
      },
      [target](double y, double p) {
        const double t = target(y);
        return is_clipped(p) ? 0.0 : (1 - t) / (1 - p) - t / p;
      });
}

LOCKSTEP_CLONES void binary_from_logits(const LossRows& rows, double smoothing) {
  const auto target = [smoothing](double y) { return y * (1 - smoothing) + 0.5 * smoothing; };
  mean_over_row(
      rows, [target](double y, double x) { return (x > 0 ? x : 0) - x * target(y) + std::log1p(std::exp(-std::abs(x))); },
      [target](double y, double x) { return logistic(x) - target(y); });
}

bool is_label(float value, std::int64_t classes) { return value >= 0 && value < static_cast<float>(classes) && value == std::floor(value); }

std::string label_flaw(float label, std::int64_t classes) {
  return fmt::format(
      "label {} is not a class index from 0 to {}; sparse_categorical_crossentropy takes whole numbers below the width of the output, "
      "which is {}{}",
      label, classes - 1, classes,
      label == static_cast<float>(classes) ? "; if the labels begin with 1: data.first_label: 1 (--first-label 1 when importing)" : "");
}

// A file may have changed since its labels were looked at, and a label is an index.
std::int64_t checked_label(float label, std::int64_t row, std::int64_t classes) {
  if (is_label(label, classes)) return static_cast<std::int64_t>(label);
  throw TruthError(row, label_flaw(label, classes));
}

// softmax of a row's logits into the output, else into delta where that will be the gradient; returns log sum_k e^(x_k - max x).
double row_softmax(const Row& row, bool fused, double largest) {
  double log_sum = 0;
  if (float* const probabilities = fused ? row.output : row.delta; probabilities != nullptr) {
    softmax_rows(row.input, probabilities, 1, row.width, &log_sum);
    return log_sum;
  }
  double others = -1;  // the largest one's term is 1
  for (std::int64_t k = 0; k < row.width; ++k) others += std::exp(row.input[k] - largest);
  return std::log1p(others);
}

void sparse_from_logits(const LossRows& rows, bool fused) {
  for_rows(rows, [&rows, fused](std::int64_t r, const Row& row) {
    const std::int64_t label = checked_label(*row.truth, r, rows.width);
    const double largest = *std::max_element(row.input, row.input + row.width);
    const double below = largest - row.input[label];  // before the output, which may be the same memory, is written
    *row.value = row_softmax(row, fused, largest) + below;
    if (row.delta == nullptr) return;
    const float* const p = fused ? row.output : row.delta;
    const auto step = static_cast<float>(row.step);
    const float at_label = step * (p[label] - 1);
    map(p, row.delta, row.width, [step](float v) { return step * v; });
    row.delta[label] = at_label;
  });
}

void categorical_from_logits(const LossRows& rows, bool fused, double smoothing) {
  const double keep = 1 - smoothing, spread = smoothing / static_cast<double>(rows.width);
  for_rows(rows, [=](std::int64_t, const Row& row) {
    const double largest = *std::max_element(row.input, row.input + row.width);
    const double total = sum(row.truth, row.input, row.width, [=](double y, double) { return y * keep + spread; });
    const double below = sum(row.truth, row.input, row.width, [=](double y, double x) { return (y * keep + spread) * (largest - x); });
    *row.value = total * row_softmax(row, fused, largest) + below;
    if (row.delta == nullptr) return;
    const double step = row.step;
    map(row.truth, fused ? row.output : row.delta, row.delta, row.width,
        [=](float y, float p) { return static_cast<float>(step * (total * p - (y * keep + spread))); });
  });
}

// With q = p / sum(p): value = -sum_k t_k log clip(q_k), and dvalue/dp_j = (g_j - sum_k g_k q_k) / sum(p), g_k = -t_k / q_k or 0 if
// clipped.
template <typename Target>
void categorical_row_from_probabilities(const Row& row, Target target) {
  const double total = sum(row.input, row.input, row.width, [](double p, double) { return p; });
  double value = 0, dot = 0;
  for (std::int64_t k = 0; k < row.width; ++k) {
    const double t = target(k), q = row.input[k] / total;
    if (t != 0) value -= t * std::log(clipped(q));
    if (!is_clipped(q)) dot -= t;
  }
  *row.value = value + 0 * total;  // NaN when the row cannot be normalised
  if (row.delta == nullptr) return;
  for (std::int64_t k = 0; k < row.width; ++k) {
    const double q = row.input[k] / total;
    const double g = is_clipped(q) ? 0 : -target(k) / q;
    row.delta[k] = static_cast<float>(row.step * (g - dot) / total);
  }
}

void sparse_from_probabilities(const LossRows& rows) {
  for_rows(rows, [&rows](std::int64_t r, const Row& row) {
    const std::int64_t label = checked_label(*row.truth, r, rows.width);
    categorical_row_from_probabilities(row, [label](std::int64_t k) { return k == label ? 1.0 : 0.0; });
  });
}

void categorical_from_probabilities(const LossRows& rows, double smoothing) {
  const double keep = 1 - smoothing, spread = smoothing / static_cast<double>(rows.width);
  for_rows(rows, [=](std::int64_t, const Row& row) {
    categorical_row_from_probabilities(row, [=](std::int64_t k) { return row.truth[k] * keep + spread; });
  });
}

struct Kernel {
  const LossRows& rows;
  bool fused;

  void operator()(const SparseCategoricalCrossentropy& loss) const {
    fused || loss.from_logits ? sparse_from_logits(rows, fused) : sparse_from_probabilities(rows);
  }
  void operator()(const CategoricalCrossentropy& loss) const {
    fused || loss.from_logits ? categorical_from_logits(rows, fused, loss.label_smoothing)
                              : categorical_from_probabilities(rows, loss.label_smoothing);
  }
  void operator()(const BinaryCrossentropy& loss) const {
    fused || loss.from_logits ? binary_from_logits(rows, loss.label_smoothing) : binary_from_probabilities(rows, loss.label_smoothing);
  }
  void operator()(const MeanSquaredError&) const { squared_error(rows); }
  void operator()(const MeanAbsoluteError&) const { absolute_error(rows); }
  void operator()(const Huber& loss) const { huber(rows, loss.delta); }
};

}  // namespace

std::int64_t class_of(std::span<const float> truth) {
  return truth.size() == 1 ? std::llround(truth.front()) : std::max_element(truth.begin(), truth.end()) - truth.begin();
}

std::string truth_flaw(const LossSpec& loss, std::span<const float> truth, std::int64_t classes) {
  if (std::holds_alternative<SparseCategoricalCrossentropy>(loss)) {
    return is_label(truth.front(), classes) ? "" : label_flaw(truth.front(), classes);
  }
  const bool probabilities = std::holds_alternative<BinaryCrossentropy>(loss);  // outside [0, 1] the loss has no lower bound
  const auto wrong =
      std::find_if(truth.begin(), truth.end(), [&](float y) { return probabilities ? !(y >= 0 && y <= 1) : !std::isfinite(y); });
  if (wrong == truth.end()) return "";
  const std::string column = truth.size() > 1 ? fmt::format(" in column {}", wrong - truth.begin()) : "";
  if (probabilities) return fmt::format("truth {}{} is no probability; binary_crossentropy takes numbers between 0 and 1", *wrong, column);
  return fmt::format("truth {}{} is not a finite number", *wrong, column);
}

void loss_rows(const LossSpec& loss, bool fused, const LossRows& rows) {
  if (fused && !fuses_softmax(loss) && !fuses_sigmoid(loss)) throw Error(name_of(loss) + " has no form from logits", kUsage);
  if (fused && fuses_softmax(loss)) {  // the kernel writes the probabilities of the other rows
    for (std::int64_t r = 0; r < rows.rows; ++r) {
      if (rows.weight[r] == 0) activate(softmax, rows.input + r * rows.width, rows.output + r * rows.width, 1, rows.width);
    }
  }
  std::visit(Kernel{rows, fused}, loss);
  if (fused && fuses_sigmoid(loss)) activate(sigmoid, rows.input, rows.output, rows.rows, rows.width);
}

LossSpec loss_from_name(std::string_view name) {
  if (const auto found = alternative_called<LossSpec>(name)) return *found;
  throw Error(fmt::format("unknown loss '{}'; known are {}", name, known_names<LossSpec>()), kUsage);
}

std::string name_of(const LossSpec& loss) { return std::string(kind_of(loss).name); }

bool fuses_softmax(const LossSpec& loss) {
  return std::holds_alternative<SparseCategoricalCrossentropy>(loss) || std::holds_alternative<CategoricalCrossentropy>(loss);
}

bool fuses_sigmoid(const LossSpec& loss) { return std::holds_alternative<BinaryCrossentropy>(loss); }

bool from_logits(const LossSpec& loss) {
  return std::visit(
      [](const auto& one) {
        if constexpr (requires { one.from_logits; }) return one.from_logits;
        return false;
      },
      loss);
}

void check_loss_shapes(const LossSpec& loss, std::int64_t truth_width, std::int64_t output_width) {
  std::visit([&](const auto& one) { fields(one, BoundsCheck(name_of(loss))); }, loss);
  if (std::holds_alternative<SparseCategoricalCrossentropy>(loss)) {
    if (truth_width == 1) return;
    throw Error(
        fmt::format("sparse_categorical_crossentropy expects one class index per row, but the truth has {} numbers per row; for one-hot "
                    "rows as wide as the output use categorical_crossentropy",
                    truth_width),
        kUsage);
  }
  if (truth_width == output_width) return;
  const bool labels = std::holds_alternative<CategoricalCrossentropy>(loss) && truth_width == 1;
  throw Error(fmt::format("{} expects truth as wide as the output, {} numbers per row, but found {}{}", name_of(loss), output_width,
                          truth_width, labels ? "; for class indices use sparse_categorical_crossentropy" : ""),
              kUsage);
}

}  // namespace lockstep
