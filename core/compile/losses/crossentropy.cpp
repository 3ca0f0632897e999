#include "core/compile/losses/crossentropy.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cluster/clones.h"
#include "core/compile/losses/rows.h"
#include "core/data/truth_error.h"

namespace lockstep {
namespace {

// Keras clips probabilities to [epsilon, 1 - epsilon] in float; these are the two floats.
constexpr double kLowest = 1e-7F;
constexpr double kHighest = 1.0F - 1e-7F;

double clipped(double p) { return p < kLowest ? kLowest : p > kHighest ? kHighest : p; }
bool is_clipped(double p) { return p < kLowest || p > kHighest; }

void binary_from_probabilities(const LossRows& rows, double smoothing) {
  const auto target = [smoothing](double y) { return y * (1 - smoothing) + 0.5 * smoothing; };
  mean_over_rows(
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
  mean_over_rows(
      rows, [target](double y, double x) { return (x > 0 ? x : 0) - x * target(y) + std::log1p(std::exp(-std::abs(x))); },
      [target](double y, double x) { return logistic(x) - target(y); });
}

bool is_label(float value, std::int64_t classes) { return value >= 0 && value < static_cast<float>(classes) && value == std::floor(value); }

// A file may have changed since its labels were looked at, and a label is an index.
std::int64_t checked_label(std::string_view loss, float label, std::int64_t row, std::int64_t classes) {
  if (is_label(label, classes)) return static_cast<std::int64_t>(label);
  throw TruthError(row, label_flaw(loss, label, classes));
}

/// Calls row_loss(row, label) for the rows that count; a row of the ignored class is as one of weight 0.
template <class RowLoss>
void for_labels(const SparseCategoricalCrossentropy& loss, const LossRows& rows, const RowLoss& row_loss) {
  for_rows(rows, [&](std::int64_t r, const LossRow& row) {
    if (loss.ignore_class && *row.truth == static_cast<float>(*loss.ignore_class)) {
      *row.value = 0;
      if (row.delta != nullptr) std::fill_n(row.delta, row.width, 0.0F);
      return;
    }
    row_loss(row, checked_label(SparseCategoricalCrossentropy::kKind.name, *row.truth, r, rows.width));
  });
}

// softmax of a row's logits into the output, else into delta where that will be the gradient; returns log sum_k e^(x_k - max x).
double row_softmax(const LossRow& row, bool fused, double largest) {
  double log_sum = 0;
  if (float* const probabilities = fused ? row.output : row.delta; probabilities != nullptr) {
    softmax_rows(row.input, probabilities, 1, row.width, &log_sum);
    return log_sum;
  }
  double others = -1;  // the largest one's term is 1
  for (std::int64_t k = 0; k < row.width; ++k) others += std::exp(row.input[k] - largest);
  return std::log1p(others);
}

void sparse_from_logits(const SparseCategoricalCrossentropy& loss, const LossRows& rows, bool fused) {
  for_labels(loss, rows, [fused](const LossRow& row, std::int64_t label) {
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
  for_rows(rows, [=](std::int64_t, const LossRow& row) {
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
void categorical_row_from_probabilities(const LossRow& row, Target target) {
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

void sparse_from_probabilities(const SparseCategoricalCrossentropy& loss, const LossRows& rows) {
  for_labels(loss, rows, [](const LossRow& row, std::int64_t label) {
    categorical_row_from_probabilities(row, [label](std::int64_t k) { return k == label ? 1.0 : 0.0; });
  });
}

void categorical_from_probabilities(const LossRows& rows, double smoothing) {
  const double keep = 1 - smoothing, spread = smoothing / static_cast<double>(rows.width);
  for_rows(rows, [=](std::int64_t, const LossRow& row) {
    categorical_row_from_probabilities(row, [=](std::int64_t k) { return row.truth[k] * keep + spread; });
  });
}

/// One number of a focal binary crossentropy: value and dvalue/dp.
struct FocalTerm {
  double value, slope;
};
FocalTerm focal_term(const BinaryFocalCrossentropy& loss, double y, double p) {
  const double t = y * (1 - static_cast<double>(loss.label_smoothing)) + 0.5 * loss.label_smoothing, q = clipped(p), gamma = loss.gamma;
  const double entropy = -(t * std::log(q) + (1 - t) * std::log(1 - q)), off = 1 - (t * p + (1 - t) * (1 - p));
  const double balance = loss.apply_class_balancing ? t * loss.alpha + (1 - t) * (1 - static_cast<double>(loss.alpha)) : 1;
  const double focus = std::pow(off, gamma), entropy_slope = is_clipped(p) ? 0 : (1 - t) / (1 - p) - t / p;
  const double focus_slope = gamma == 0 || off == 0 ? 0 : gamma * std::pow(off, gamma - 1) * (1 - 2 * t);
  return {balance * focus * entropy, balance * (focus_slope * entropy + focus * entropy_slope)};
}

/// The settings of a focal crossentropy of classes, in double.
struct Focal {
  std::span<const float> alpha;
  double gamma, keep, spread;

  double target(const LossRow& row, std::int64_t k) const { return row.truth[k] * keep + spread; }
  double weight(std::int64_t k) const { return alpha[alpha.size() == 1 ? 0 : static_cast<std::size_t>(k)]; }
  double value(const LossRow& row, std::int64_t k, double q) const {
    const double held = clipped(q);
    return -weight(k) * target(row, k) * std::pow(1 - held, gamma) * std::log(held);
  }
  double slope(const LossRow& row, std::int64_t k, double q) const {
    if (is_clipped(q)) return 0;
    const double bend = gamma == 0 ? 0 : gamma * std::pow(1 - q, gamma - 1) * std::log(q);
    return weight(k) * target(row, k) * (bend - std::pow(1 - q, gamma) / q);
  }
};

}  // namespace

void crossentropy_rows(const SparseCategoricalCrossentropy& loss, bool fused, const LossRows& rows) {
  fused || loss.from_logits ? sparse_from_logits(loss, rows, fused) : sparse_from_probabilities(loss, rows);
}

void crossentropy_rows(const CategoricalCrossentropy& loss, bool fused, const LossRows& rows) {
  fused || loss.from_logits ? categorical_from_logits(rows, fused, loss.label_smoothing)
                            : categorical_from_probabilities(rows, loss.label_smoothing);
}

void crossentropy_rows(const BinaryCrossentropy& loss, bool fused, const LossRows& rows) {
  fused || loss.from_logits ? binary_from_logits(rows, loss.label_smoothing) : binary_from_probabilities(rows, loss.label_smoothing);
}

void crossentropy_rows(const BinaryFocalCrossentropy& loss, const LossRows& rows) {
  if (!loss.from_logits) {
    return mean_over_rows(
        rows, [&loss](double y, double p) { return focal_term(loss, y, p).value; },
        [&loss](double y, double p) { return focal_term(loss, y, p).slope; });
  }
  mean_over_rows(
      rows, [&loss](double y, double x) { return focal_term(loss, y, logistic(x)).value; },
      [&loss](double y, double x) {
        const double p = logistic(x);
        return focal_term(loss, y, p).slope * p * (1 - p);
      });
}

void crossentropy_rows(const CategoricalFocalCrossentropy& loss, const LossRows& rows) {
  const double smoothing = loss.label_smoothing;
  const Focal focal{loss.alpha.values, loss.gamma, 1 - smoothing, smoothing / static_cast<double>(rows.width)};
  for_rows(rows, [&](std::int64_t, const LossRow& row) {
    const double largest = loss.from_logits ? *std::max_element(row.input, row.input + row.width) : 0;
    const auto part = [&](std::int64_t k) {
      return loss.from_logits ? std::exp(row.input[k] - largest) : static_cast<double>(row.input[k]);
    };
    double total = 0, value = 0, dot = 0;
    for (std::int64_t k = 0; k < row.width; ++k) total += part(k);
    for (std::int64_t k = 0; k < row.width; ++k) {
      const double q = part(k) / total;
      value += focal.value(row, k, q);
      dot += focal.slope(row, k, q) * q;
    }
    *row.value = value + 0 * total;  // NaN when the row cannot be normalised
    if (row.delta == nullptr) return;
    for (std::int64_t k = 0; k < row.width; ++k) {  // dq_k/dx_k = q_k for logits, 1 / total for outputs
      const double q = part(k) / total;
      row.delta[k] = static_cast<float>(row.step * (focal.slope(row, k, q) - dot) * (loss.from_logits ? q : 1 / total));
    }
  });
}

void crossentropy_rows(const CategoricalGeneralizedCrossEntropy& loss, const LossRows& rows) {
  const double q = loss.q;
  for_rows(rows, [&](std::int64_t r, const LossRow& row) {
    const std::int64_t label = checked_label(CategoricalGeneralizedCrossEntropy::kKind.name, *row.truth, r, rows.width);
    const double others = 0 * sum(row.input, row.input, row.width, [](double one, double) { return one; });  // 0, or NaN where one is
    const double p = row.input[label] + others;
    *row.value = (1 - std::pow(p, q)) / q;
    if (row.delta == nullptr) return;
    std::fill_n(row.delta, row.width, static_cast<float>(others));
    row.delta[label] = static_cast<float>(-row.step * std::pow(p, q - 1));
  });
}

std::string label_flaw(std::string_view loss, float label, std::int64_t classes) {
  if (is_label(label, classes)) return "";
  return fmt::format(
      "label {} is not a class index from 0 to {}; {} takes whole numbers below the width of the output, which is {}{}", label, classes - 1,
      loss, classes,
      label == static_cast<float>(classes) ? "; if the labels begin with 1: data.first_label: 1 (--first-label 1 when importing)" : "");
}

}  // namespace lockstep
