#include "core/exchange/gradient_blocks.h"

#include <gtest/gtest.h>

#include "support/small_model.h"

namespace lockstep {
namespace {

/// Blocks of 48 columns and one of what is left, then one of another layer; tells which stay ('s'), or are brought to all ranks ('-').
std::string staying(std::int64_t columns, std::int64_t batch, int ranks, bool far) {
  std::vector<GradientBlock> blocks;
  for (std::int64_t column = 0; column < columns; column += 48)
    blocks.push_back({.last = 784, .column = column, .columns = std::min<std::int64_t>(48, columns - column)});
  blocks.push_back({.layer = 1, .last = 100});
  let_columns_stay(blocks, cut_grains(batch, 0, ranks), ranks, far);
  std::string text;
  for (const GradientBlock& block : blocks) text += block.stays ? 's' : '-';
  return text;
}

TEST(GradientBlocks, StayWhereEveryRankGetsAsManyColumns) {
  EXPECT_EQ(staying(288, 256, 1, false), "ssssss-");
  EXPECT_EQ(staying(288, 256, 2, false), "ssssss-");
  EXPECT_EQ(staying(288, 256, 3, false), "ssssss-");
}

TEST(GradientBlocks, ThatAreLeftAreBroughtToAllRanks) {
  EXPECT_EQ(staying(300, 256, 2, false), "ssssss--");
  EXPECT_EQ(staying(300, 256, 3, false), "ssssss--");
  EXPECT_EQ(staying(300, 256, 4, false), "ssss----");  // 48 x 256 + 108 x 64 instead of 96 x 256 for the slowest
  EXPECT_EQ(staying(300, 256, 5, false), "sssss---");
}

TEST(GradientBlocks, AllStayWhereBringingThemGainsNothing) {
  EXPECT_EQ(staying(300, 256, 1, false), "sssssss-");
  EXPECT_EQ(staying(300, 256, 2, true), "sssssss-");   // line by line from afar
  EXPECT_EQ(staying(300, 16, 2, false), "sssssss-");   // 12 x 16 multiplications a row of the kernel, or 12 floats of it
  EXPECT_EQ(staying(300, 32, 4, false), "sssssss-");   // two ranks have no rows
  EXPECT_EQ(staying(300, 256, 8, false), "sssssss-");  // not a block for each
}

TEST(GradientBlocks, ALearningRateOf0LeavesWeightsAsTheyAre) {
  Sequential model = testing::small_model(Sgd{.learning_rate = 0});
  const std::vector<std::vector<float>> before = model.get_weights();
  model.fit(testing::small_data(22), {.epochs = 1, .batch_size = 8, .verbose = 0});
  EXPECT_EQ(model.get_weights(), before);
}

}  // namespace
}  // namespace lockstep
