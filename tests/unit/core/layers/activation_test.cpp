#include "core/layers/activation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <map>

#include "support/layers/layer_output.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::counted;
using test::expect_numeric_gradient;
using test::layer_output;
using test::output_shape;
using Values = std::vector<float>;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

TEST(ActivationLayers, ReLUFollowsItsFormula) {
  const Values x = {-kInfinity, -2, 0, 0.5, 1, 1.5, 6, 8};
  EXPECT_EQ(layer_output(ReLU{}, {8}, x), (Values{0, 0, 0, 0.5, 1, 1.5, 6, 8}));
  EXPECT_EQ(layer_output(ReLU{.max_value = 6.F}, {8}, x), (Values{0, 0, 0, 0.5, 1, 1.5, 6, 6}));
  EXPECT_EQ(layer_output(ReLU{.max_value = 0.F}, {8}, x), Values(8, 0));
  EXPECT_EQ(layer_output(ReLU{.threshold = 1}, {8}, x), (Values{0, 0, 0, 0, 0, 1.5, 6, 8}));
  EXPECT_EQ(layer_output(ReLU{.max_value = 7.F, .negative_slope = 0.5F, .threshold = 1}, {8}, x),
            (Values{-kInfinity, -1.5, -0.5, -0.25, 0, 1.5, 6, 7}));
  EXPECT_TRUE(std::isnan(layer_output(ReLU{.max_value = 7.F}, {1}, {std::nanf("")})[0]));
}

TEST(ActivationLayers, LeakyReLUAndELUFollowTheirFormulas) {
  EXPECT_EQ(layer_output(LeakyReLU{}, {3}, {-10, 0, 10}), (Values{-3, 0, 10}));
  EXPECT_EQ(layer_output(LeakyReLU{0.5F}, {3}, {-10, 0, 10}), (Values{-5, 0, 10}));
  const Values y = layer_output(ELU{0.5F}, {4}, {-100, -1, 0, 2});
  EXPECT_EQ(y[0], -0.5F);
  EXPECT_FLOAT_EQ(y[1], 0.5F * std::expm1(-1.F));
  EXPECT_EQ(y[2], 0);
  EXPECT_EQ(y[3], 2);
}

TEST(ActivationLayers, SoftmaxOfAnyAxes) {
  const Shape input = {2, 3, 20};  // more than 16 neighbours
  const std::vector<std::vector<std::int64_t>> all = {{-1}, {1}, {2}, {3}, {2, 3}, {-2, -1}, {1, 2}, {2, 1}, {1, 2, 3}};
  const Values x = test::numbers(2 * 120, 3);
  for (const std::vector<std::int64_t>& axis : all) {
    const Values y = layer_output(Softmax{axis}, input, x);
    std::vector<bool> over(3);
    for (const std::int64_t a : axis) over[static_cast<std::size_t>(a < 0 ? a + 3 : a - 1)] = true;
    // Groups by the indices of the axes that are kept.
    std::map<std::vector<std::int64_t>, double> sums;
    const auto group = [&](std::int64_t i) {
      const std::vector<std::int64_t> index = {i / 60 % 2, i / 20 % 3, i % 20};
      std::vector<std::int64_t> kept = {i / 120};
      for (std::size_t a = 0; a < 3; ++a) kept.push_back(over[a] ? 0 : index[a]);
      return kept;
    };
    for (std::int64_t i = 0; i < 240; ++i) sums[group(i)] += std::exp(static_cast<double>(x[static_cast<std::size_t>(i)]));
    for (std::int64_t i = 0; i < 240; ++i) {
      const auto at = static_cast<std::size_t>(i);
      EXPECT_NEAR(y[at], std::exp(static_cast<double>(x[at])) / sums[group(i)], 1e-7) << to_string(axis) << " at " << i;
    }
  }
}

TEST(ActivationLayers, ALossTakesTheLogitsOfASoftmaxOfTheLastAxis) {
  EXPECT_TRUE(Network({Dense{3}, Softmax{}}, {2}, 0).ends_in(softmax));
  EXPECT_FALSE(Network({Dense{3}, Softmax{{1}}}, {2, 2}, 0).ends_in(softmax));
  EXPECT_EQ(Network({Dense{3, softmax}, ReLU{}}, {2}, 0).output_activation(), relu);
}

TEST(ActivationLayers, GradientsAreThoseOfTheOutput) {
  const std::vector<LayerSpec> all = {ReLU{.negative_slope = 0.3F}, LeakyReLU{}, ELU{0.5F}, Softmax{{1}}, Softmax{{1, 2}}};
  for (const LayerSpec& layer : all) {
    Network network({Dense{3}, layer, Flatten{}, Dense{2, tanh_}}, {4, 2}, 7);
    expect_numeric_gradient(network, 3, 1.F / 256, 2e-2);  // the differences may cross a kink
  }
}

/// Derivatives at these x.
Values slopes(const LayerSpec& layer, const Values& at) {
  Network network({Dense{1}, layer}, {1}, 0);
  network.ops()[0]->values(0)[0] = 1;
  Values slopes;
  for (const float x : at) {
    Pass pass(network, {.rows = 1, .grains = 1, .backward = true});
    pass.input()[0] = x;
    pass.forward({.training = true}, 1);
    pass.output_deltas()[0] = 1;
    pass.backward({.training = true}, [](std::size_t) {});
    slopes.push_back(pass.deltas(1)[0]);
  }
  return slopes;
}

// jax.grad of Keras 3.15.1's layers, at the corners too.
TEST(ActivationLayers, GradientsOfTheRectifierAreThoseOfKerasOnJax) {
  const Values x = {-3, 0, 1, 1.5F, 2, 3, 6, 7};
  EXPECT_EQ(slopes(ReLU{.max_value = 2.F}, x), (Values{0, 0, 1, 1, 0.5F, 0, 0, 0}));
  EXPECT_EQ(slopes(ReLU{.max_value = 6.F}, x), (Values{0, 0, 1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(slopes(ReLU{.max_value = 6.F, .negative_slope = 0.5F}, x), (Values{0.5F, 0, 1, 1, 1, 1, 0, 0}));
  EXPECT_EQ(slopes(ReLU{.max_value = 2.F, .negative_slope = 0.5F, .threshold = 1}, x), (Values{0.5F, 0.5F, 0, 1, 0.5F, 0, 0, 0}));
  EXPECT_EQ(slopes(ReLU{.max_value = 6.F, .threshold = 1}, x), (Values{0, 0, 0, 1, 1, 1, 0.5F, 0}));
  EXPECT_EQ(slopes(ReLU{.max_value = 1.F, .threshold = 1}, x), (Values{0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(slopes(ReLU{.max_value = 0.F, .negative_slope = 0.5F}, x), (Values{0.5F, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(slopes(ReLU{.negative_slope = 0.5F}, {-3, 0, 1, kInfinity}), (Values{0.5F, 1, 1, 1}));
  EXPECT_EQ(slopes(LeakyReLU{.negative_slope = 0.5F}, {-3, 0, 1, kInfinity}), (Values{0.5F, 1, 1, 1}));
  EXPECT_EQ(slopes(ReLU{.threshold = 1}, {-3, 1, 1.5F, kInfinity}), (Values{0, 0, 1, 1}));
}

TEST(ActivationLayers, WrongSettingsAreErrorsThatNameTheLayer) {
  const auto expect = [](const LayerSpec& layer, const std::string& message) {
    testing::expect_error([&] { Network({layer}, {3, 2, 2}, 0); }, {message});
  };
  expect(ReLU{.max_value = -1.F, .name = "r"}, "layer 'r' (ReLU): max_value is -1, it must be at least 0");
  expect(ReLU{.threshold = -1, .name = "r"}, "layer 'r' (ReLU): threshold is -1, it must be at least 0");
  expect(LeakyReLU{-1, "l"}, "layer 'l' (LeakyReLU): negative_slope is -1, it must be at least 0");
  for (const std::vector<std::int64_t>& axis : std::vector<std::vector<std::int64_t>>{{0}, {4}, {-4}, {}, {1, 3}, {2, 2}}) {
    expect(Softmax{axis, "s"},
           "layer 's' (Softmax): axis " + to_string(axis) + " is none of its input (None, 3, 2, 2); give one between 1 and 3");
  }
}

}  // namespace
}  // namespace lockstep
