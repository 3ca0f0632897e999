#include "core/layers/embedding.h"

#include <gtest/gtest.h>

#include "core/network/pass.h"
#include "core/training/sequential.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using testing::expect_error;

TEST(Embedding, TakesRowsOfTheTable) {
  Network network({Embedding{.input_dim = 4, .output_dim = 2}}, {3}, 0);
  EXPECT_EQ(network.output_shape(0), (Shape{3, 2}));
  const std::span<float> table = network.ops()[0]->values(0);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i);
  Pass pass(network, {.rows = 1, .grains = 1});
  pass.input()[0] = 3;
  pass.input()[1] = 0;
  pass.input()[2] = 3;
  pass.forward({}, 1);
  EXPECT_EQ(std::vector<float>(pass.output(), pass.output() + 6), (std::vector<float>{6, 7, 0, 1, 6, 7}));
  EXPECT_FALSE(network.take_flaw());
}

/// A row of the table has the sum of the deltas of its numbers, one that no number names has 0, whatever the part.
TEST(Embedding, GradientIsTheSumOfDeltas) {
  for (const std::int64_t table_rows : {5, 3000}) {
    Network network({Embedding{.input_dim = table_rows, .output_dim = 7}}, {2}, 0);
    const Op& op = *network.ops()[0];
    const std::vector<float> x = {1, 4, 1, 2}, dy = test::numbers(28, 1);
    std::vector<float> gradient(network.parameters().size(), 99);
    std::int64_t end = 0;
    for (const VariableRange& part : op.parts()) {
      EXPECT_EQ(part.offset, end);
      end = part.offset + part.count;
      op.gradient(x.data(), dy.data(), {.rows = 2}, part, gradient.data() + part.offset);
    }
    EXPECT_EQ(end, op.slice().count);
    for (std::size_t i = 0; i < static_cast<std::size_t>(table_rows) * 7; ++i) {
      const std::size_t row = i / 7, at = i % 7;
      const float expected = row == 1 ? dy[at] + dy[14 + at] : row == 4 ? dy[7 + at] : row == 2 ? dy[21 + at] : 0;
      ASSERT_EQ(gradient[i], expected) << row << " " << at;
    }
  }
}

TEST(Embedding, WhatIsNoRowOfTheTableIsAnErrorThatNamesIt) {
  for (const float wrong : {-1.F, 4.F, 1.5F, 1e30F, std::nanf("")}) {
    Sequential model{Input{{2}}, Embedding{.input_dim = 4, .output_dim = 3, .name = "words"}, Flatten{}, Dense{1}};
    model.compile({.loss = MeanSquaredError{}, .optimizer = Sgd{}});
    std::vector<float> x(40, 1);
    x[2 * 13 + 1] = wrong;
    const ArrayDataset data({2}, x, std::vector<float>(20));
    const std::vector<std::string> parts = {"row 13", "layer 'words': ", " is not a whole number from 0 to 3 (input_dim 4)"};
    expect_error([&] { model.fit(data, {.batch_size = 5, .verbose = 0}); }, parts);
    expect_error([&] { model.predict(data); }, parts);
    if (wrong < 1e9F) expect_error([&] { model.evaluate(data); }, parts);
  }
}

TEST(Embedding, SlotsWithoutARowMayHoldAnything) {
  Network network({Embedding{.input_dim = 4, .output_dim = 2}}, {1}, 0);
  Pass pass(network, {.rows = 2, .grains = 1});
  pass.input()[0] = 3;
  pass.input()[1] = -1;
  const std::vector<float> present = {1, 0};
  pass.forward({.present = present.data()}, 1);
  EXPECT_FALSE(network.take_flaw());
  pass.forward({}, 1);
  EXPECT_TRUE(network.take_flaw());
}

TEST(Embedding, WrongSettingsAreErrorsThatNameTheLayer) {
  const auto expect = [](const Embedding& layer, const std::string& message) {
    expect_error([&] { Network({layer}, {3}, 0); }, {message});
  };
  expect({.input_dim = 0, .output_dim = 3, .name = "e"}, "layer 'e' (Embedding): input_dim is 0, it must be in [1, ");
  expect({.input_dim = 3, .output_dim = -3, .name = "e"}, "layer 'e' (Embedding): output_dim is -3, it must be in [1, ");
  expect({.input_dim = 20'000'000, .output_dim = 1, .name = "e"}, "layer 'e' (Embedding): input_dim is 20000000, but features are floats");
  expect({.input_dim = 3, .output_dim = 2'000'000'000, .name = "e"}, "layer 'e' (Embedding)");
}

}  // namespace
}  // namespace lockstep
