#include "core/layers/normalization/batch_normalization.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/network/pass.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::expect_numeric_gradient;

std::vector<float> values_of(Network& network, std::size_t weight) {
  const std::span<const float> values = network.ops()[0]->values(weight);
  return {values.begin(), values.end()};
}

// Columns 1, 3, 5, 7 and 10, 10, 10, 14: means 4 and 11, variances 5 and 3.
const std::vector<float> kRows = {1, 10, 3, 10, 5, 10, 7, 14};

TEST(BatchNormalization, NormalizesByTheStatisticsOfTheBatch) {
  Network network({BatchNormalization{.momentum = 0.75F, .epsilon = 1}}, {2}, 0);
  network.ops()[0]->values(0)[1] = 3;   // gamma
  network.ops()[0]->values(1)[0] = 10;  // beta
  Pass pass(network, {.rows = 2, .grains = 2});
  std::copy(kRows.begin(), kRows.end(), pass.input());
  pass.forward({.training = true}, 2);
  for (std::size_t r = 0; r < 4; ++r) {
    EXPECT_FLOAT_EQ(pass.output()[2 * r], (kRows[2 * r] - 4) / std::sqrt(6.F) + 10);
    EXPECT_FLOAT_EQ(pass.output()[2 * r + 1], 3 * (kRows[2 * r + 1] - 11) / 2);
  }
  EXPECT_EQ(values_of(network, 2), (std::vector<float>{1, 2.75F}));  // moving_mean: 0.25 of 4 and 11
  EXPECT_EQ(values_of(network, 3), (std::vector<float>{2, 1.5F}));   // moving_variance: 0.75 of 1 and 0.25 of 5 and 3
}

TEST(BatchNormalization, LeavesOutSlotsWithoutARow) {
  Network network({BatchNormalization{.momentum = 0}}, {2}, 0);
  Pass pass(network, {.rows = 3, .grains = 2, .backward = true});
  const std::vector<float> present = {1, 1, 0, 1, 1, 0};
  for (std::int64_t slot = 0, row = 0; slot < 6; ++slot) {
    for (std::int64_t i = 0; i < 2; ++i)
      pass.input()[slot * 2 + i] = present[static_cast<std::size_t>(slot)] != 0 ? kRows[static_cast<std::size_t>(2 * row + i)] : 1e6F;
    row += present[static_cast<std::size_t>(slot)] != 0 ? 1 : 0;
  }
  pass.forward({.training = true, .present = present.data()}, 2);
  EXPECT_EQ(values_of(network, 2), (std::vector<float>{4, 11}));
  EXPECT_EQ(values_of(network, 3), (std::vector<float>{5, 3}));
  EXPECT_EQ(pass.output()[4], 0);
  EXPECT_EQ(pass.output()[11], 0);
}

TEST(BatchNormalization, PredictsByTheMovingAverages) {
  Network network({BatchNormalization{.epsilon = 1, .center = false, .scale = false}}, {2}, 0);
  ASSERT_EQ(network.ops()[0]->weights().size(), 2U);
  EXPECT_FALSE(network.ops()[0]->trainable());
  network.ops()[0]->values(0)[0] = 5;
  network.ops()[0]->values(1)[0] = 3;
  Pass pass(network, {.rows = 1, .grains = 1});
  pass.input()[0] = 7;
  pass.input()[1] = 4;
  pass.forward({}, 1);
  EXPECT_FLOAT_EQ(pass.output()[0], 1);                   // (7 - 5) / sqrt(3 + 1)
  EXPECT_FLOAT_EQ(pass.output()[1], 4 / std::sqrt(2.F));  // mean 0, variance 1
  EXPECT_EQ(values_of(network, 0), (std::vector<float>{5, 0}));
}

TEST(BatchNormalization, IsExactFarFromZero) {
  Network network({BatchNormalization{.momentum = 0}}, {1}, 0);
  Pass pass(network, {.rows = 4, .grains = 1});
  for (int r = 0; r < 4; ++r) pass.input()[r] = 30000.F + static_cast<float>(r % 2);
  pass.forward({.training = true}, 1);
  EXPECT_EQ(values_of(network, 2), (std::vector<float>{30000.5F}));
  EXPECT_NEAR(values_of(network, 3)[0], 0.25, 1e-6);
}

TEST(BatchNormalization, GradientIsThatOfTheOutput) {
  for (const auto& [center, scale] : std::vector<std::pair<bool, bool>>{{true, true}, {false, true}, {true, false}, {false, false}}) {
    Network network({Dense{5}, BatchNormalization{.epsilon = 0.1F, .center = center, .scale = scale}, Dense{2, tanh_}}, {3}, 7);
    expect_numeric_gradient(network, 6);
  }
}

TEST(BatchNormalization, GradientOfAnyAxis) {
  for (const std::int64_t axis : {1, 2, -1}) {
    Network network({Dense{4}, BatchNormalization{.axis = axis, .epsilon = 0.1F}, Flatten{}, Dense{2, tanh_}}, {3, 2}, 7);
    const std::int64_t length = axis == 1 ? 3 : 4;
    EXPECT_EQ(network.ops()[1]->weights()[0].shape, Shape{length});
    expect_numeric_gradient(network, 5);
  }
}

TEST(BatchNormalization, WrongSettingsAreErrorsThatNameTheLayer) {
  const auto expect = [](const BatchNormalization& layer, const std::string& message) {
    testing::expect_error([&] { Network({layer}, {3}, 0); }, {message});
  };
  expect(
      {.axis = 2, .name = "bn"},
      "layer 'bn' (BatchNormalization): axis 2 is not an axis of its input (None, 3) that keeps statistics; give one between 1 and 1, or "
      "a negative one");
  expect({.momentum = 2, .name = "bn"}, "layer 'bn' (BatchNormalization): momentum is 2, it must be in [0, 1]");
  expect({.epsilon = 0, .name = "bn"}, "layer 'bn' (BatchNormalization): epsilon is 0, it must be above 0");
  expect({.gamma_regularizer = {.l2 = -1}, .name = "bn"},
         "layer 'bn' (BatchNormalization): gamma_regularizer is -1, it must be at least 0");
}

}  // namespace
}  // namespace lockstep
