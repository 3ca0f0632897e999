#include "core/layers/prelu.h"

#include <gtest/gtest.h>

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

/// A network of a PReLU, whose alpha is 1, 2, 3, ...
Network prelu(const std::vector<std::int64_t>& shared_axes, const Shape& input) {
  return Network({PReLU{.alpha_initializer = Initializer::ones, .shared_axes = shared_axes}}, input, 0);
}

TEST(PReLU, HasAWeightForEveryIndexOfTheAxesThatDoNotShareIt) {
  const Shape input = {2, 3, 4};
  const auto shape = [&](const std::vector<std::int64_t>& axes) { return prelu(axes, input).ops()[0]->weights()[0].shape; };
  EXPECT_EQ(shape({}), input);
  EXPECT_EQ(shape({1, 2}), (Shape{1, 1, 4}));
  EXPECT_EQ(shape({3}), (Shape{2, 3, 1}));
  EXPECT_EQ(shape({1, 2, 3}), (Shape{1, 1, 1}));
}

TEST(PReLU, MultipliesWhatIsBelowZero) {
  const Shape input = {2, 3, 4};
  const Values x = test::numbers(48, 1);
  for (const std::vector<std::int64_t>& axes :
       std::vector<std::vector<std::int64_t>>{{}, {1}, {2}, {3}, {1, 2}, {1, 3}, {2, 3}, {1, 2, 3}}) {
    Network network = prelu(axes, input);
    const std::span<float> alpha = network.ops()[0]->values(0);
    for (std::size_t i = 0; i < alpha.size(); ++i) alpha[i] = static_cast<float>(i + 1);
    const Shape& shape = network.ops()[0]->weights()[0].shape;
    Pass pass(network, {.rows = 2, .grains = 1, .backward = true});
    std::copy(x.begin(), x.end(), pass.input());
    pass.forward({.training = true}, 1);
    Values expected(alpha.size());
    for (std::int64_t i = 0; i < 48; ++i) {
      const std::vector<std::int64_t> index = {i / 12 % 2, i / 4 % 3, i % 4};
      std::int64_t element = 0;
      for (std::size_t axis = 0; axis < 3; ++axis) element = element * shape[axis] + (shape[axis] == 1 ? 0 : index[axis]);
      const auto at = static_cast<std::size_t>(i), of = static_cast<std::size_t>(element);
      EXPECT_EQ(pass.output()[i], x[at] > 0 ? x[at] : alpha[of] * x[at]) << to_string(axes) << " at " << i;
      pass.output_deltas()[i] = 2;
      if (x[at] < 0) expected[of] += 2 * x[at];
    }
    Values gradient(alpha.size());
    network.ops()[0]->gradient(pass.values(0), pass.output_deltas(), {.rows = 2}, network.ops()[0]->slice(), gradient.data());
    for (std::size_t i = 0; i < alpha.size(); ++i) EXPECT_NEAR(gradient[i], expected[i], 1e-5) << to_string(axes) << ", alpha " << i;
  }
}

TEST(PReLU, GradientIsThatOfTheOutput) {
  for (const std::vector<std::int64_t>& axes : std::vector<std::vector<std::int64_t>>{{}, {1}, {2}, {1, 2}}) {
    Network network({Dense{70}, PReLU{.alpha_initializer = Initializer::ones, .shared_axes = axes}, Flatten{}, Dense{2, tanh_}}, {2, 2}, 7);
    expect_numeric_gradient(network, 3, 1.F / 256, 2e-2);  // the differences may cross the kink
  }
}

TEST(PReLU, WrongSettingsAreErrorsThatNameTheLayer) {
  testing::expect_error(
      [] {
        Network({PReLU{.shared_axes = {3}, .name = "p"}}, {2, 2}, 0);
      },
      {"layer 'p' (PReLU): axis 3 of shared_axes is none of its input (None, 2, 2); give axes between 1 and 2"});
  testing::expect_error(
      [] {
        Network({PReLU{.shared_axes = {0}, .name = "p"}}, {2, 2}, 0);
      },
      {"layer 'p' (PReLU): shared_axes is 0, it must be at least 1"});
}

}  // namespace
}  // namespace lockstep
