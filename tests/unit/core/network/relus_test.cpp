// Relus that a neighbour computes.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "support/numeric_gradient.h"

namespace lockstep {
namespace {

using test::numbers;

constexpr std::int64_t kRows = 3;

struct Result {
  std::vector<float> output, gradient;
};

/// What a network makes of rows, and the gradient of all weights.
Result run(Network& network, const std::vector<float>& x) {
  Pass pass(network, {.rows = kRows, .grains = 1, .backward = true});
  std::copy(x.begin(), x.end(), pass.input());
  pass.forward(Block{.training = true}, 1);
  Result result;
  result.output.assign(pass.output(), pass.output() + kRows * network.output_width());
  const std::vector<float> c = numbers(kRows * network.output_width(), 2);
  std::copy(c.begin(), c.end(), pass.output_deltas());
  result.gradient.resize(network.parameters().size());
  pass.backward(Block{.training = true}, [&](std::size_t i) {
    const Op& op = *network.ops()[i];
    if (!op.trainable()) return;
    for (const VariableRange& part : op.parts())
      op.gradient(pass.values(i), pass.deltas(i + 1), {.rows = kRows}, part, result.gradient.data() + part.offset);
  });
  return result;
}

/// Pairs of models of the same function. In the second one a ReLU layer computes what a neighbour computes in the first.
struct Pair {
  const char* what;
  std::vector<LayerSpec> moved, kept;
};

std::vector<Pair> pairs(std::int64_t filters) {
  const Conv2D plain{.filters = filters, .kernel_size = 3, .bias_initializer = RandomNormal{}};
  Conv2D positive = plain;
  positive.activation = relu;
  const BatchNormalization normal{.beta_initializer = RandomNormal{}, .gamma_initializer = RandomNormal{}};
  const MaxPooling2D wide{.pool_size = 3, .padding = Padding::same, .strides = 2};
  return {
      {"of a convolution, behind a maximum",
       {positive, MaxPooling2D{}, Flatten{}, Dense{2}},
       {plain, ReLU{}, MaxPooling2D{}, Flatten{}, Dense{2}}},
      {"behind a maximum of windows that overlap", {positive, wide, Flatten{}, Dense{2}}, {plain, ReLU{}, wide, Flatten{}, Dense{2}}},
      {"in a normalization", {plain, normal, Activation{relu}, Flatten{}, Dense{2}}, {plain, normal, ReLU{}, Flatten{}, Dense{2}}},
      {"of a layer, behind a maximum",
       {plain, normal, Activation{relu}, MaxPooling2D{}, Flatten{}, Dense{2}},
       {plain, normal, ReLU{}, MaxPooling2D{}, Flatten{}, Dense{2}}},
      {"in a convolution", {plain, Activation{relu}, Flatten{}, Dense{2}}, {plain, ReLU{}, Flatten{}, Dense{2}}},
  };
}

TEST(MovedRelus, ChangeNoBit) {
  for (const std::int64_t filters : {2, 5, 8, 12}) {
    for (const auto& [what, moved, kept] : pairs(filters)) {
      Network fewer(moved, {9, 10, 2}, 7), all(kept, {9, 10, 2}, 7);
      std::ranges::copy(fewer.parameters(), all.parameters().begin());  // initial weights depend on the layer's place
      const std::vector<float> x = numbers(kRows * fewer.input_width(), 1);
      const Result found = run(fewer, x), expected = run(all, x);
      EXPECT_EQ(found.output, expected.output) << what << ", " << filters << " channels";
      EXPECT_EQ(found.gradient, expected.gradient) << what << ", " << filters << " channels";
    }
  }
}

TEST(MovedRelus, LeaveOutTheOp) {
  EXPECT_EQ(
      Network({Conv2D{.filters = 2, .kernel_size = 3}, BatchNormalization{}, Activation{relu}, MaxPooling2D{}}, {9, 9, 2}, 0).ops().size(),
      3U);
  EXPECT_EQ(Network({BatchNormalization{}, Activation{relu}}, {9, 9, 2}, 0).ops().size(), 1U);
  EXPECT_EQ(Network({BatchNormalization{}, Activation{tanh_}, MaxPooling2D{}}, {9, 9, 2}, 0).ops().size(), 3U);
}

TEST(MovedRelus, ShowNan) {
  for (const auto& [what, moved, kept] : pairs(8)) {
    Network network(moved, {9, 10, 2}, 7);
    std::vector<float> x = numbers(kRows * network.input_width(), 1);
    x[200] = std::numeric_limits<float>::quiet_NaN();
    const std::vector<float> output = run(network, x).output;
    EXPECT_TRUE(std::any_of(output.begin(), output.end(), [](float y) { return std::isnan(y); })) << what;
  }
}

}  // namespace
}  // namespace lockstep
