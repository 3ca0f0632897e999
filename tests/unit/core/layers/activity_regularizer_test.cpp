#include "core/layers/activity_regularizer.h"

#include <gtest/gtest.h>

#include "core/training/sequential.h"
#include "support/numeric_gradient.h"

namespace lockstep {
namespace {

TEST(ActivityRegularizer, PenaltyIsOfRowsThatAreThere) {
  const std::unique_ptr<Op> op = activity_regularizer_op({.l1 = 0.5F, .l2 = 2}, 2);
  const std::vector<float> y = {1, -2, 3, 0, 100, 100}, present = {1, 1, 0};
  EXPECT_FLOAT_EQ(static_cast<float>(op->penalty(y.data(), {.rows = 3, .present = present.data()})), 0.5F * 6 + 2 * 14);
}

TEST(ActivityRegularizer, GradientIsThatOfThePenalty) {
  const std::unique_ptr<Op> op = activity_regularizer_op({.l1 = 0.5F, .l2 = 2}, 4);
  std::vector<float> y = {1, -2, 0.25F, -0.5F}, dy = {1, 2, 3, 4}, dx(4);
  const Block block{.rows = 1, .row_scale = 0.125F};
  op->backward(y.data(), nullptr, dy.data(), dx.data(), block);
  for (std::size_t i = 0; i < 4; ++i) {
    const float before = y[i];
    y[i] = before + 0x1p-6F;
    const double above = op->penalty(y.data(), block);
    y[i] = before - 0x1p-6F;
    const double below = op->penalty(y.data(), block);
    y[i] = before;
    EXPECT_NEAR(dx[i], dy[i] + 0.125 * (above - below) / 0x1p-5, 1e-5);
  }
}

/// y = w x with w = 2, loss (w x)^2 on average and a penalty of |w x| on average: over all rows whatever the batch.
TEST(ActivityRegularizer, IsPartOfTheLossAndIsTrained) {
  Sequential model{Input{{1}}, Dense{.units = 1, .use_bias = false, .kernel_initializer = Constant{2}, .activity_regularizer = {.l1 = 1}}};
  model.compile({.loss = MeanSquaredError{}, .optimizer = Sgd{.learning_rate = 0.125F}});
  const ArrayDataset data({1}, {1, 2, -3}, {0, 0, 0});
  EXPECT_NEAR(model.evaluate(data)["loss"], 4 * 14 / 3. + 2 * 6 / 3., 1e-5);
  const History history = model.fit(data, {.batch_size = 3, .verbose = 0});
  EXPECT_NEAR(history.history.at("loss")[0], 4 * 14 / 3. + 2 * 6 / 3., 1e-5);
  EXPECT_NEAR(model.get_weights()[0][0], 2 - 0.125 * (2 * 2 * 14 / 3. + 6 / 3.), 1e-5);
}

/// The same as a layer of its own.
TEST(ActivityRegularizer, MayBeALayer) {
  Sequential model{Input{{1}}, Dense{.units = 1, .use_bias = false, .kernel_initializer = Constant{2}}, ActivityRegularization{.l1 = 1}};
  model.compile({.loss = MeanSquaredError{}, .optimizer = Sgd{.learning_rate = 0.125F}});
  const ArrayDataset data({1}, {1, 2, -3}, {0, 0, 0});
  EXPECT_NEAR(model.evaluate(data)["loss"], 4 * 14 / 3. + 2 * 6 / 3., 1e-5);
  model.fit(data, {.batch_size = 3, .verbose = 0});
  EXPECT_NEAR(model.get_weights()[0][0], 2 - 0.125 * (2 * 2 * 14 / 3. + 6 / 3.), 1e-5);
}

}  // namespace
}  // namespace lockstep
