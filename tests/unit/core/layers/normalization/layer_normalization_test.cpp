#include "core/layers/normalization/layer_normalization.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "core/network/pass.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::expect_numeric_gradient;
using test::numbers;

std::vector<float> output_of(Network& network, const std::vector<float>& x, std::int64_t rows) {
  Pass pass(network, {.rows = rows, .grains = 1});
  std::copy(x.begin(), x.end(), pass.input());
  pass.forward({.training = true}, 1);
  return {pass.output(), pass.output() + rows * network.output_width()};
}

/// gamma and beta other than 1 and 0.
void set_weights(Network& network, std::size_t op) {
  for (std::size_t w = 0; w < network.ops()[op]->weights().size(); ++w) {
    const std::span<float> values = network.ops()[op]->values(w);
    for (std::size_t i = 0; i < values.size(); ++i) values[i] = 0.5F + 0.25F * static_cast<float>(i + w);
  }
}

/// Normalised naively: group and weight of every float of a row.
void expect_normalized(const LayerSpec& layer, const Shape& input, const std::function<std::int64_t(std::int64_t)>& group,
                       const std::function<std::int64_t(std::int64_t)>& weight, double epsilon) {
  constexpr std::int64_t kRows = 3;
  Network network({layer}, input, 0);
  set_weights(network, 0);
  const std::int64_t width = elements(input);
  const std::vector<float> x = numbers(kRows * width, 3);
  const std::vector<float> y = output_of(network, x, kRows);
  for (std::int64_t r = 0; r < kRows; ++r) {
    for (std::int64_t i = 0; i < width; ++i) {
      double count = 0, sum = 0, squares = 0;
      for (std::int64_t j = 0; j < width; ++j) {
        if (group(j) != group(i)) continue;
        const auto value = static_cast<double>(x[static_cast<std::size_t>(r * width + j)]);
        ++count;
        sum += value;
        squares += value * value;
      }
      const double mean = sum / count, variance = squares / count - mean * mean;
      const auto w = static_cast<double>(weight(i));
      const double expected =
          (static_cast<double>(x[static_cast<std::size_t>(r * width + i)]) - mean) / std::sqrt(variance + epsilon) * (0.5 + 0.25 * w) +
          (0.75 + 0.25 * w);
      ASSERT_NEAR(y[static_cast<std::size_t>(r * width + i)], expected, 2e-5 * (1 + std::abs(expected)))
          << class_name(layer) << " row " << r << " float " << i;
    }
  }
}

TEST(LayerNormalization, NormalizesEachRowOverItsAxes) {
  const Shape shape = {3, 5, 70};
  const auto t = [](std::int64_t i) { return i / 350; };
  const auto u = [](std::int64_t i) { return i / 70 % 5; };
  const auto v = [](std::int64_t i) { return i % 70; };
  expect_normalized(
      LayerNormalization{}, shape, [&](std::int64_t i) { return 5 * t(i) + u(i); }, v, 1e-3);
  expect_normalized(
      LayerNormalization{.axis = {1}, .epsilon = 0.5F}, shape, [&](std::int64_t i) { return 70 * u(i) + v(i); }, t, 0.5);
  expect_normalized(
      LayerNormalization{.axis = {2}}, shape, [&](std::int64_t i) { return 70 * t(i) + v(i); }, u, 1e-3);
  expect_normalized(
      LayerNormalization{.axis = {1, 2, 3}}, shape, [](std::int64_t) { return 0; }, [](std::int64_t i) { return i; }, 1e-3);
  expect_normalized(
      LayerNormalization{.axis = {-2, -1}}, shape, t, [](std::int64_t i) { return i % 350; }, 1e-3);
  expect_normalized(
      LayerNormalization{.axis = {3, 1}}, shape, u, [&](std::int64_t i) { return 70 * t(i) + v(i); }, 1e-3);
}

TEST(GroupNormalization, NormalizesGroupsOfChannels) {
  const Shape shape = {3, 4, 6};
  const auto c = [](std::int64_t i) { return i % 6; };
  for (const std::int64_t groups : {1, 2, 3, 6})
    expect_normalized(
        GroupNormalization{.groups = groups}, shape, [&](std::int64_t i) { return c(i) / (6 / groups); }, c, 1e-3);
  expect_normalized(GroupNormalization{.groups = -1}, shape, c, c, 1e-3);
  expect_normalized(
      GroupNormalization{.groups = 2, .axis = 2}, shape, [](std::int64_t i) { return i / 6 % 4 / 2; },
      [](std::int64_t i) { return i / 6 % 4; }, 1e-3);
  expect_normalized(
      GroupNormalization{.groups = 3, .axis = 1}, shape, [](std::int64_t i) { return i / 24; }, [](std::int64_t i) { return i / 24; },
      1e-3);
  expect_normalized(
      GroupNormalization{.groups = 2}, {6}, [](std::int64_t i) { return i / 3; }, [](std::int64_t i) { return i; }, 1e-3);
}

TEST(UnitNormalization, MakesLengthsOne) {
  Network network({UnitNormalization{}}, {2}, 0);
  const std::vector<float> y = output_of(network, {3, 4, 0, 0, 1e-20F, 0}, 3);
  EXPECT_FLOAT_EQ(y[0], 0.6F);
  EXPECT_FLOAT_EQ(y[1], 0.8F);
  EXPECT_EQ(y[2], 0);
  EXPECT_FLOAT_EQ(y[4], 1e-8F);  // at most x * 1e12
  Network other({UnitNormalization{.axis = {1}}}, {2, 2}, 0);
  const std::vector<float> z = output_of(other, {3, 5, 4, 12}, 1);
  EXPECT_FLOAT_EQ(z[0], 0.6F);
  EXPECT_FLOAT_EQ(z[1], 5.F / 13);
  EXPECT_FLOAT_EQ(z[3], 12.F / 13);
}

TEST(LayerNormalization, IsExactFarFromZero) {
  Network network({LayerNormalization{.epsilon = 1e-6F}}, {4}, 0);
  const std::vector<float> y = output_of(network, {30000, 30001, 30000, 30001}, 1);
  for (std::size_t i = 0; i < 4; ++i) EXPECT_NEAR(y[i], i % 2 == 0 ? -1 : 1, 1e-4);
}

TEST(LayerNormalization, GradientIsThatOfTheOutput) {
  const std::vector<LayerSpec> layers = {LayerNormalization{.epsilon = 0.1F},
                                         LayerNormalization{.axis = {1}, .epsilon = 0.1F},
                                         LayerNormalization{.axis = {1, 2}, .epsilon = 0.1F, .center = false},
                                         LayerNormalization{.epsilon = 0.1F, .scale = false},
                                         LayerNormalization{.axis = {1}, .epsilon = 0.1F, .scale = false},
                                         LayerNormalization{.epsilon = 0.1F, .center = false, .scale = false},
                                         GroupNormalization{.groups = 2, .epsilon = 0.1F},
                                         GroupNormalization{.groups = -1, .epsilon = 0.1F},
                                         GroupNormalization{.groups = 1, .axis = 1, .epsilon = 0.1F},
                                         UnitNormalization{},
                                         UnitNormalization{.axis = {1}}};
  for (const LayerSpec& layer : layers) {
    SCOPED_TRACE(class_name(layer));
    Network network({Dense{4}, layer, Flatten{}, Dense{2, tanh_}}, {3, 2}, 7);
    if (!std::holds_alternative<UnitNormalization>(layer)) set_weights(network, 1);
    expect_numeric_gradient(network, 5, 1.F / 512, 2e-3);
  }
}

TEST(LayerNormalization, WrongSettingsAreErrorsThatNameTheLayer) {
  const auto expect = [](const LayerSpec& layer, const std::string& message) {
    testing::expect_error([&] { Network({layer}, {3, 6}, 0); }, {message});
  };
  expect(LayerNormalization{.axis = {0}, .name = "n"}, "layer 'n' (LayerNormalization): axis 0 is not an axis of its input (None, 3, 6)");
  expect(LayerNormalization{.axis = {3}, .name = "n"}, "axis 3 is not an axis");
  expect(LayerNormalization{.axis = {}, .name = "n"}, "layer 'n' (LayerNormalization): needs at least one axis");
  expect(LayerNormalization{.epsilon = 0, .name = "n"}, "layer 'n' (LayerNormalization): epsilon is 0, it must be above 0");
  expect(GroupNormalization{.groups = 4, .name = "n"}, "layer 'n' (GroupNormalization): groups is 4, which does not divide the 6 channels");
  expect(GroupNormalization{.groups = 0, .name = "n"}, "groups is 0, which does not divide");
  expect(UnitNormalization{.axis = {-4}, .name = "n"}, "layer 'n' (UnitNormalization): axis -4 is not an axis");
}

}  // namespace
}  // namespace lockstep
