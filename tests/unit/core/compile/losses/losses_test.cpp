#include "core/compile/losses/losses.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cluster/error.h"

namespace lockstep {
namespace {

using Real = long double;
using Row = std::vector<Real>;

testing::AssertionResult near(Real found, Real expected, Real tolerance) {
  const Real error = std::abs(found - expected);
  if (error <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "found " << found << ", expected " << expected << ", off by " << error;
}

// --- Keras' formulas, on one row; x is the output p or, where `logits`, the logits ---

Real clip(Real p) { return std::min<Real>(std::max<Real>(p, 1e-7F), 1.0F - 1e-7F); }

Real categorical(const Row& t, const Row& x, bool logits) {
  Real value = 0, total = 0;
  if (logits) {
    // log sum_j e^(x_j - x_k) without cancellation: the term of k is 1.
    for (std::size_t k = 0; k < x.size(); ++k) {
      const Real top = *std::max_element(x.begin(), x.end());
      Real others = 0;
      for (std::size_t j = 0; j < x.size(); ++j) others += j == k ? 0 : std::exp(x[j] - top);
      value += t[k] * (x[k] == top ? std::log1p(others) : std::log(others + std::exp(x[k] - top)) + top - x[k]);
    }
    return value;
  }
  for (const Real p : x) total += p;
  for (std::size_t k = 0; k < x.size(); ++k) value -= t[k] * std::log(clip(x[k] / total));
  return value;
}

Real binary(const Row& t, const Row& x, bool logits) {
  Real value = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    value += logits ? std::max<Real>(x[k], 0) - x[k] * t[k] + std::log1p(std::exp(-std::abs(x[k])))
                    : -(t[k] * std::log(clip(x[k])) + (1 - t[k]) * std::log(1 - clip(x[k])));
  }
  return value / static_cast<Real>(x.size());
}

Real binary_focal(const BinaryFocalCrossentropy& f, const Row& y, const Row& x) {
  Real value = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const Real t = y[k] * (1 - static_cast<Real>(f.label_smoothing)) + 0.5L * f.label_smoothing;
    const Real p = f.from_logits ? 1 / (1 + std::exp(-x[k])) : x[k];
    const Real entropy = -(t * std::log(clip(p)) + (1 - t) * std::log(1 - clip(p)));
    const Real balance = f.apply_class_balancing ? t * f.alpha + (1 - t) * (1 - static_cast<Real>(f.alpha)) : 1;
    value += balance * std::pow(1 - (t * p + (1 - t) * (1 - p)), static_cast<Real>(f.gamma)) * entropy;
  }
  return value / static_cast<Real>(x.size());
}

Real categorical_focal(const CategoricalFocalCrossentropy& f, const Row& y, const Row& x) {
  const auto part = [&](Real p) { return f.from_logits ? std::exp(p) : p; };
  Real total = 0, value = 0;
  for (const Real p : x) total += part(p);
  for (std::size_t k = 0; k < x.size(); ++k) {
    const Real t = y[k] * (1 - static_cast<Real>(f.label_smoothing)) + f.label_smoothing / static_cast<Real>(x.size());
    const Real p = clip(part(x[k]) / total), alpha = f.alpha.values[f.alpha.values.size() == 1 ? 0 : k];
    value -= alpha * std::pow(1 - p, static_cast<Real>(f.gamma)) * t * std::log(p);
  }
  return value;
}

Real formula(const LossSpec& loss, bool logits, Row y, const Row& x) {
  const auto width = static_cast<Real>(x.size());
  if (std::holds_alternative<SparseCategoricalCrossentropy>(loss)) {
    Row one_hot(x.size(), 0);
    one_hot[static_cast<std::size_t>(y[0])] = 1;
    return categorical(one_hot, x, logits);
  }
  if (const auto* c = std::get_if<CategoricalCrossentropy>(&loss)) {
    for (Real& v : y) v = v * (1 - static_cast<Real>(c->label_smoothing)) + c->label_smoothing / width;
    return categorical(y, x, logits);
  }
  if (const auto* b = std::get_if<BinaryCrossentropy>(&loss)) {
    for (Real& v : y) v = v * (1 - static_cast<Real>(b->label_smoothing)) + 0.5L * b->label_smoothing;
    return binary(y, x, logits);
  }
  if (const auto* f = std::get_if<BinaryFocalCrossentropy>(&loss)) return binary_focal(*f, y, x);
  if (const auto* f = std::get_if<CategoricalFocalCrossentropy>(&loss)) return categorical_focal(*f, y, x);
  if (const auto* g = std::get_if<CategoricalGeneralizedCrossEntropy>(&loss))
    return (1 - std::pow(x[static_cast<std::size_t>(y[0])], static_cast<Real>(g->q))) / g->q;
  const auto summed = [&](const auto& term) {
    Real total = 0;
    for (std::size_t k = 0; k < x.size(); ++k) total += term(y[k], x[k]);
    return total;
  };
  const auto product = [](Real t, Real p) { return t * p; };
  if (std::holds_alternative<CosineSimilarity>(loss)) {
    return -summed(product) / std::sqrt(summed([](Real t, Real) { return t * t; }) * summed([](Real, Real p) { return p * p; }));
  }
  if (std::holds_alternative<KLDivergence>(loss)) {
    const auto held = [](Real p) { return std::min<Real>(std::max<Real>(p, 1e-7F), 1); };
    return summed([&](Real t, Real p) { return held(t) * std::log(held(t) / held(p)); });
  }
  if (std::holds_alternative<Dice>(loss)) {
    return 1 - 2 * summed(product) / (summed([](Real t, Real) { return t; }) + summed([](Real, Real p) { return p; }) + 1e-7F);
  }
  if (const auto* t = std::get_if<Tversky>(&loss)) {
    const Real missed = summed([](Real one, Real p) { return (1 - p) * one; }),
               wrong = summed([](Real one, Real p) { return p * (1 - one); });
    return 1 - summed(product) / (summed(product) + missed * t->alpha + wrong * t->beta + 1e-7F);
  }
  if (std::holds_alternative<CategoricalHinge>(loss)) {
    Real wrong = (1 - y[0]) * x[0];
    for (std::size_t k = 0; k < x.size(); ++k) wrong = std::max(wrong, (1 - y[k]) * x[k]);
    return std::max<Real>(wrong - summed(product) + 1, 0);
  }
  if (std::holds_alternative<Hinge>(loss) || std::holds_alternative<SquaredHinge>(loss)) {
    const bool binary_truth = std::all_of(y.begin(), y.end(), [](Real t) { return t == 0 || t == 1; });
    const bool squared = std::holds_alternative<SquaredHinge>(loss);
    return summed([&](Real t, Real p) {
             const Real missing = std::max<Real>(1 - (binary_truth ? 2 * t - 1 : t) * p, 0);
             return squared ? missing * missing : missing;
           }) /
           width;
  }
  Real value = 0;
  for (std::size_t k = 0; k < x.size(); ++k) {
    const Real e = std::abs(y[k] - x[k]);
    if (std::holds_alternative<MeanAbsolutePercentageError>(loss)) value += 100 * e / std::max<Real>(std::abs(y[k]), 1e-7F);
    if (std::holds_alternative<LogCosh>(loss)) value += std::log(std::cosh(e));
    if (std::holds_alternative<Poisson>(loss)) value += x[k] - y[k] * std::log(x[k] + 1e-7F);
    if (std::holds_alternative<MeanSquaredLogarithmicError>(loss)) {
      const Real apart = std::log(std::max<Real>(x[k], 1e-7F) + 1) - std::log(std::max<Real>(y[k], 1e-7F) + 1);
      value += apart * apart;
    }
    if (std::holds_alternative<MeanSquaredError>(loss)) value += e * e;
    if (std::holds_alternative<MeanAbsoluteError>(loss)) value += e;
    if (const auto* h = std::get_if<Huber>(&loss))
      value += e <= h->delta ? e * e / 2 : h->delta * e - static_cast<Real>(h->delta) * h->delta / 2;
  }
  return value / width;
}

// A block of rows and what loss_rows made of it.
struct Block {
  std::int64_t rows, width, truth_width;
  std::vector<float> truth, weight, input;
  std::vector<float> output = {}, delta = {};
  std::vector<double> value = {};
  float scale = 0.125F;

  void run(const LossSpec& loss, bool fused, bool with_delta = true) {
    output.assign(input.size(), -7);
    delta.assign(input.size(), std::numeric_limits<float>::quiet_NaN());
    value.assign(static_cast<std::size_t>(rows), -1);
    loss_rows(loss, fused,
              {truth.data(), weight.data(), input.data(), output.data(), with_delta ? delta.data() : nullptr, value.data(), rows, width,
               truth_width, scale});
  }
  Row row(const std::vector<float>& matrix, std::int64_t r, std::int64_t columns) const {
    return Row(matrix.begin() + r * columns, matrix.begin() + (r + 1) * columns);
  }
};

float wave(std::int64_t i) { return std::sin(static_cast<float>(i) * 1.7F + 0.3F); }

// Rows for a loss: logits, probabilities (rows that sum to 0.7 .. 1.3) or plain numbers; one row of weight 0 full of garbage.
// Truth of categorical losses: one-hot rows and soft ones that do not sum to 1.
Block example(const LossSpec& loss, bool logits, std::int64_t rows, std::int64_t width) {
  const bool sparse = takes_labels(loss),
             binary = wants_sigmoid(loss) || std::holds_alternative<Dice>(loss) || std::holds_alternative<Tversky>(loss),
             categorical = wants_softmax(loss) || std::holds_alternative<KLDivergence>(loss),
             positive = std::holds_alternative<Poisson>(loss),
             sides = std::holds_alternative<Hinge>(loss) || std::holds_alternative<SquaredHinge>(loss);
  Block block{rows, width, sparse ? 1 : width, {}, {}, {}};
  for (std::int64_t r = 0; r < rows; ++r) {
    block.weight.push_back(0.25F + 0.5F * static_cast<float>(r % 3));
    for (std::int64_t k = 0; k < width; ++k) {
      const std::int64_t i = r * width + k;
      const float probability = (1.1F + wave(i)) / (2.3F * (categorical ? static_cast<float>(width) / 2 : 1.0F));
      block.input.push_back(logits ? 4 * wave(i) : binary || categorical || positive ? probability : 3 * wave(i));
      if (!sparse)
        block.truth.push_back(binary ? static_cast<float>(i % 2)
                              : sides
                                  ? static_cast<float>(i % 2) * (r % 2 == 0 ? 2.F : 1.F) - (r % 2 == 0 ? 1.F : 0.F)  // -1 and 1, or 0 and 1
                              : categorical ? (k == r % width ? 1 : 0.05F * static_cast<float>(r % 2))
                                            : wave(3 * i));
    }
    if (sparse) block.truth.push_back(static_cast<float>((r * 7) % width));
  }
  if (rows > 2) {
    block.weight[1] = 0;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    for (std::int64_t k = 0; k < width; ++k) block.input[static_cast<std::size_t>(width + k)] = nan;
    for (std::int64_t k = 0; k < block.truth_width; ++k)
      block.truth[static_cast<std::size_t>(block.truth_width + k)] = k % 2 == 0 ? nan : -99;
  }
  return block;
}

void check_values_and_gradients(const LossSpec& loss, bool fused, bool logits, std::int64_t rows, std::int64_t width) {
  SCOPED_TRACE(name_of(loss) +
               (fused    ? ", fused"
                : logits ? ", from_logits"
                         : "") +
               ", " + std::to_string(rows) + " x " + std::to_string(width));
  Block block = example(loss, logits, rows, width);
  block.run(loss, fused, false);
  const std::vector<double> values_alone = block.value;
  block.run(loss, fused);
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto at = static_cast<std::size_t>(r);
    if (block.weight[at] == 0) {
      EXPECT_EQ(block.value[at], 0);
      for (const Real delta : block.row(block.delta, r, width)) EXPECT_EQ(delta, 0);
      continue;
    }
    const Row y = block.row(block.truth, r, block.truth_width), x = block.row(block.input, r, width);
    const Real expected = formula(loss, logits, y, x);
    EXPECT_TRUE(near(block.value[at], expected, 1e-6L * std::abs(expected))) << "row " << r;
    EXPECT_TRUE(near(values_alone[at], expected, 1e-6L * std::abs(expected))) << "row " << r << " without delta";
    for (std::int64_t k = 0; k < width; ++k) {
      const Real h = 1e-6L;
      Row up = x, down = x;
      up[static_cast<std::size_t>(k)] += h;
      down[static_cast<std::size_t>(k)] -= h;
      const Real slope = (formula(loss, logits, y, up) - formula(loss, logits, y, down)) / (2 * h);
      const Real delta = slope * block.weight[at] * block.scale;
      EXPECT_TRUE(near(block.delta[static_cast<std::size_t>(r * width + k)], delta, 2e-7L * std::max<Real>(1, std::abs(delta))))
          << "row " << r << ", " << k;
      EXPECT_TRUE(fused || block.output[static_cast<std::size_t>(r * width + k)] == -7);
    }
  }
}

const std::vector<LossSpec> kLosses = {
    SparseCategoricalCrossentropy{},
    CategoricalCrossentropy{},
    CategoricalCrossentropy{.label_smoothing = 0.1F},
    BinaryCrossentropy{},
    BinaryCrossentropy{.label_smoothing = 0.2F},
    MeanSquaredError{},
    MeanAbsoluteError{},
    Huber{},
    Huber{0.3F},
    BinaryFocalCrossentropy{},
    BinaryFocalCrossentropy{.apply_class_balancing = true, .alpha = 0.4F, .gamma = 1.5F, .label_smoothing = 0.1F},
    CategoricalFocalCrossentropy{},
    CategoricalFocalCrossentropy{.alpha = 0.6F, .gamma = 0, .label_smoothing = 0.2F},
    CategoricalGeneralizedCrossEntropy{.q = 0.7F},
    KLDivergence{},
    Poisson{},
    MeanAbsolutePercentageError{},
    MeanSquaredLogarithmicError{},
    CosineSimilarity{},
    LogCosh{},
    Hinge{},
    SquaredHinge{},
    CategoricalHinge{},
    Dice{{-1}},
    Tversky{0.3F, 0.6F, {1}}};

TEST(Losses, ValuesAndGradientsOfEveryForm) {
  for (const LossSpec& loss : kLosses) {
    for (const auto& [rows, width] : {std::pair<std::int64_t, std::int64_t>{5, 3}, {4, 10}, {3, 17}, {7, 2}}) {
      check_values_and_gradients(loss, false, false, rows, width);
      if (fuses_softmax(loss) || fuses_sigmoid(loss)) check_values_and_gradients(loss, true, true, rows, width);
    }
  }
  check_values_and_gradients(SparseCategoricalCrossentropy{.from_logits = true}, false, true, 6, 10);
  check_values_and_gradients(CategoricalCrossentropy{.from_logits = true, .label_smoothing = 0.1F}, false, true, 6, 10);
  check_values_and_gradients(BinaryCrossentropy{.from_logits = true}, false, true, 6, 1);
  check_values_and_gradients(MeanSquaredError{}, false, false, 40, 1);
  check_values_and_gradients(BinaryFocalCrossentropy{.gamma = 3, .from_logits = true}, false, true, 6, 4);
  check_values_and_gradients(CategoricalFocalCrossentropy{.alpha = {0.2F, 0.5F, 0.9F}, .from_logits = true}, false, true, 6, 3);
}

TEST(Losses, RowsOfAnIgnoredClassAreLeftOut) {
  const SparseCategoricalCrossentropy loss{.ignore_class = -1};
  for (const bool fused : {false, true}) {
    Block block{3, 2, 1, {1, -1, 0}, {1, 1, 2}, {0.25F, 0.75F, 0.5F, 0.5F, 0.125F, 0.875F}};
    block.run(loss, fused);
    EXPECT_EQ(block.value[1], 0);
    EXPECT_EQ(block.delta[2], 0);
    EXPECT_EQ(block.delta[3], 0);
    EXPECT_NE(block.delta[0], 0);
    if (fused) {
      EXPECT_FLOAT_EQ(block.output[2], 0.5F);  // for the metrics
    }
    LossBatch batch{.rows = 3};
    const std::vector<float> present = {1, 1, 1};
    add_to_batch(loss, present.data(), {block.truth.data(), block.weight.data(), block.input.data(), nullptr, nullptr, nullptr, 3, 2, 1},
                 batch.sums);
    EXPECT_DOUBLE_EQ(row_scale(loss, Reduction::sum_over_batch_size, batch), 1.0 / 2);
    EXPECT_DOUBLE_EQ(row_scale(loss, Reduction::mean_with_sample_weight, batch), 1.0 / 3);
    EXPECT_EQ(row_scale(loss, Reduction::sum, batch), 1);
  }
  EXPECT_EQ(truth_flaw(loss, std::vector<float>{-1}, 3), "");
  EXPECT_NE(truth_flaw(loss, std::vector<float>{-2}, 3), "");
  EXPECT_EQ(row_scale(loss, Reduction::sum_over_batch_size, {.rows = 3}), 0);  // all rows are ignored
}

/// The loss of a batch with this input.
double batch_loss(const LossSpec& loss, Block block, const std::vector<float>& present, std::vector<float>* delta = nullptr) {
  LossBatch batch{.rows = static_cast<double>(std::count(present.begin(), present.end(), 1.F))};
  block.delta.resize(block.input.size());
  block.value.resize(present.size());
  const LossRows rows{block.truth.data(), block.weight.data(), block.input.data(), nullptr,          block.delta.data(),
                      block.value.data(), block.rows,          block.width,        block.truth_width};
  add_to_batch(loss, present.data(), rows, batch.sums);
  batch_loss_rows(loss, Reduction::sum_over_batch_size, batch, present.data(), rows);
  if (delta != nullptr) *delta = block.delta;
  double sum = 0;
  for (std::size_t r = 0; r < present.size(); ++r) sum += block.value[r];
  return sum / batch.rows;
}

TEST(Losses, OverlapOfABatch) {
  const std::vector<float> present = {1, 1, 0};
  Block block{3, 2, 2, {1, 0, 0, 1, 9, 9}, {1, 3, 1}, {0.5F, 0.25F, 0.25F, 0.5F, 9, 9}};
  EXPECT_NEAR(batch_loss(Dice{}, block, present), 2 * (1 - 2 * 1.0 / (2 + 1.5)), 1e-6);  // mean weight 2
  EXPECT_NEAR(batch_loss(Tversky{0.3F, 0.7F, {}}, block, present), 2 * (1 - 1 / (1 + 0.3 * 1 + 0.7 * 0.5)), 1e-6);
  for (const LossSpec& loss : {LossSpec(Dice{}), LossSpec(Tversky{0.3F, 0.7F, {}})}) {
    std::vector<float> delta;
    batch_loss(loss, block, present, &delta);
    EXPECT_EQ(delta[4], 0);
    for (std::size_t i = 0; i < 4; ++i) {
      Block up = block, down = block;
      up.input[i] += 0x1p-10F;
      down.input[i] -= 0x1p-10F;
      EXPECT_NEAR(delta[i], (batch_loss(loss, up, present) - batch_loss(loss, down, present)) / 0x1p-9, 1e-5) << name_of(loss) << " " << i;
    }
  }
  EXPECT_TRUE(over_batch(Dice{}));
  EXPECT_FALSE(over_batch(Dice{{-1}}));
  EXPECT_THROW(check_reduction(Dice{}, Reduction::sum), Error);
  check_reduction(Dice{{-1}}, Reduction::sum);
}

TEST(Losses, FusedFormsWriteTheProbabilities) {
  Block block{2, 3, 1, {2, 0}, {1, 0}, {1, 2, 3, 0, 0, 0}};
  block.run(SparseCategoricalCrossentropy{}, true);
  Real sum = 0;
  for (int k = 1; k <= 3; ++k) sum += std::exp(static_cast<Real>(k));
  for (int k = 1; k <= 3; ++k)
    EXPECT_TRUE(near(block.output[static_cast<std::size_t>(k - 1)], std::exp(static_cast<Real>(k)) / sum, 1e-7L));
  EXPECT_FLOAT_EQ(block.output[4], 1.0F / 3);  // also in rows of weight 0
  const std::vector<float> expected = block.delta;
  const std::vector<double> value = block.value;
  std::vector<float> in_place = block.input;  // output and input may be one
  loss_rows(SparseCategoricalCrossentropy{}, true,
            {block.truth.data(), block.weight.data(), in_place.data(), in_place.data(), block.delta.data(), block.value.data(), 2, 3, 1,
             block.scale});
  EXPECT_EQ(in_place, block.output);
  EXPECT_EQ(block.delta, expected);
  EXPECT_EQ(block.value, value);
  Block binary{2, 1, 1, {1, 0}, {1, 0}, {2, -1}};
  binary.run(BinaryCrossentropy{}, true);
  EXPECT_FLOAT_EQ(binary.output[0], 1 / (1 + std::exp(-2.0F)));
  EXPECT_FLOAT_EQ(binary.output[1], 1 / (1 + std::exp(1.0F)));
}

TEST(Losses, SaturatedOutputs) {
  // From logits (40, 0, 0) with label 1 the loss is 40, not 16.1, and its gradient is alive; with label 0 it is 2 e^-40.
  Block logits{3, 3, 1, {1, 0, 0}, {1, 1, 1}, {40, 0, 0, 40, 0, 0, 8.7F, -12.3F, -30}};
  logits.scale = 1;
  logits.run(SparseCategoricalCrossentropy{}, true);
  EXPECT_NEAR(logits.value[0], 40, 1e-12);
  EXPECT_NEAR(logits.value[1] / (2 * std::exp(-40.0)), 1, 1e-6);
  EXPECT_NEAR(logits.value[2] / (std::exp(static_cast<double>(-12.3F) - 8.7F) + std::exp(-30 - static_cast<double>(8.7F))), 1, 1e-6);
  EXPECT_EQ(logits.delta[0], 1);
  EXPECT_EQ(logits.delta[1], -1);
  // From probabilities: at most -log(1e-7) = 16.118 and at least 1.19e-7, without gradient.
  Block probabilities{2, 3, 1, {1, 0}, {1, 1}, {1, 0, 0, 1, 0, 0}};
  probabilities.run(SparseCategoricalCrossentropy{}, false);
  EXPECT_NEAR(probabilities.value[0], 16.11809565, 1e-6);
  EXPECT_NEAR(probabilities.value[1], 1.1920930e-7, 1e-13);
  for (const float delta : probabilities.delta) EXPECT_EQ(delta, 0);
  Block binary{2, 1, 1, {1, 1}, {1, 1}, {0, 1}};
  binary.run(BinaryCrossentropy{}, false);
  EXPECT_NEAR(binary.value[0], 16.11809565, 1e-6);
  EXPECT_NEAR(binary.value[1], 1.1920930e-7, 1e-13);
  for (const float delta : binary.delta) EXPECT_EQ(delta, 0);
  Block far{2, 1, 1, {1, 0}, {1, 1}, {-500, -500}};
  far.run(BinaryCrossentropy{}, true);
  EXPECT_EQ(far.value[0], 500);
  EXPECT_NEAR(far.value[1], 0, 1e-200);
}

TEST(Losses, BadLabelsNameRowAndValue) {
  for (const float label : {-1.0F, 3.0F, 0.5F, std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const bool fused : {true, false}) {
      Block block{3, 3, 1, {0, 99, label}, {1, 0, 1}, {0.2F, 0.3F, 0.5F, 0, 0, 1, 0.1F, 0.1F, 0.8F}};
      try {
        block.run(SparseCategoricalCrossentropy{}, fused);
        FAIL() << label;
      } catch (const Error& error) {
        const std::string message = error.what();
        EXPECT_NE(message.find("row 2 "), std::string::npos) << message;
        EXPECT_NE(message.find(std::isnan(label) ? "nan"
                               : label == -1     ? "-1"
                               : label == 3      ? "3"
                               : label == 0.5F   ? "0.5"
                                                 : "inf"),
                  std::string::npos);
        EXPECT_NE(message.find("from 0 to 2"), std::string::npos) << message;
      }
    }
  }
}

TEST(Losses, NanInAnOutputReachesTheValue) {
  for (const LossSpec& loss : kLosses) {
    for (const bool fused : {false, true}) {
      if (fused && !fuses_softmax(loss) && !fuses_sigmoid(loss)) continue;
      for (const std::size_t at : {0U, 1U, 2U}) {
        Block block = example(loss, fused, 1, 3);
        block.input[at] = std::numeric_limits<float>::quiet_NaN();
        block.run(loss, fused);
        EXPECT_TRUE(std::isnan(block.value[0])) << name_of(loss) << " fused " << fused << " at " << at;
        EXPECT_TRUE(std::isnan(block.delta[at])) << name_of(loss) << " fused " << fused << " at " << at;
      }
    }
  }
}

TEST(Losses, Names) {
  for (const char* name : {"circle", "Circle", "ctc", "CTC", "ce", "crossentropy"}) {
    try {
      loss_from_name(name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find(std::string("Keras' ") + name), std::string::npos) << error.what();
    }
  }
  for (const LossSpec& loss : kLosses) EXPECT_EQ(loss_from_name(name_of(loss)).index(), loss.index());
  for (const char* name : {"mse", "MSE", "mean_squared_error", "MeanSquaredError"})
    EXPECT_EQ(name_of(loss_from_name(name)), "mean_squared_error");
  EXPECT_EQ(name_of(loss_from_name("MAE")), "mean_absolute_error");
  EXPECT_EQ(name_of(loss_from_name("bce")), "binary_crossentropy");
  EXPECT_EQ(name_of(loss_from_name("Huber")), "huber");
  EXPECT_EQ(std::get<Huber>(loss_from_name("huber")).delta, 1);
  for (const char* name : {"", "huber_loss", "Mse", "logcosh"}) {
    try {
      loss_from_name(name);
      FAIL() << name;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit_code(), kUsage);
      EXPECT_NE(std::string(error.what()).find("mean_squared_error (mse)"), std::string::npos) << error.what();
    }
  }
}

TEST(Losses, ShapesAndOptionsAreChecked) {
  check_loss_shapes(SparseCategoricalCrossentropy{}, 1, 10);
  check_loss_shapes(CategoricalCrossentropy{}, 10, 10);
  check_loss_shapes(MeanSquaredError{}, 1, 1);
  EXPECT_THROW(check_loss_shapes(SparseCategoricalCrossentropy{}, 10, 10), Error);
  EXPECT_THROW(check_loss_shapes(CategoricalCrossentropy{}, 1, 10), Error);
  EXPECT_THROW(check_loss_shapes(BinaryCrossentropy{}, 1, 2), Error);
  EXPECT_THROW(check_loss_shapes(MeanSquaredError{}, 3, 1), Error);
  EXPECT_THROW(check_loss_shapes(Huber{0}, 1, 1), Error);
  EXPECT_THROW(check_loss_shapes(BinaryCrossentropy{.label_smoothing = 1.5F}, 1, 1), Error);
  EXPECT_THROW(loss_rows(MeanSquaredError{}, true, {}), Error);
  EXPECT_THROW(check_loss_shapes(Dice{{0}}, 2, 2), Error);
  EXPECT_THROW(check_loss_shapes(CategoricalGeneralizedCrossEntropy{1}, 1, 3), Error);
  EXPECT_THROW(check_loss_shapes(CategoricalFocalCrossentropy{.alpha = {0.1F, 0.2F}}, 3, 3), Error);
  EXPECT_EQ(truth_flaw(Hinge{}, std::vector<float>{0, 1}, 2), "");
  EXPECT_EQ(truth_flaw(Hinge{}, std::vector<float>{-1, 1}, 2), "");
  EXPECT_NE(truth_flaw(Hinge{}, std::vector<float>{-1, 0}, 2), "");
  EXPECT_NE(truth_flaw(SquaredHinge{}, std::vector<float>{2, 0}, 2), "");
}

}  // namespace
}  // namespace lockstep
