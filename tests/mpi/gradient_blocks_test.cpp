// How the ranks of a host divide the blocks of a gradient.
#include "core/exchange/gradient_blocks.h"

#include <gtest/gtest.h>

#include <algorithm>

#include "support/mpi_world.h"

namespace lockstep {
namespace {

using test::world;

/// Blocks of 48 columns and one of what is left; then those of a second layer, of which one is larger than any of the first.
std::vector<GradientBlock> blocks_of(std::int64_t columns) {
  std::vector<GradientBlock> blocks;
  for (std::int64_t column = 0; column < columns; column += 48) {
    const std::int64_t width = std::min<std::int64_t>(48, columns - column);
    blocks.push_back(
        {.last = 784, .offset = column, .count = 784 * width, .column = column, .columns = width, .stride = columns, .joins = true});
  }
  std::int64_t offset = 784 * columns;
  for (const std::int64_t count : {10400, 9300, 50000}) {
    blocks.push_back({.layer = 1, .last = 10, .offset = offset, .count = count});
    offset += count;
  }
  return blocks;
}

TEST(GradientBlocks, EveryBlockHasOneOwnerAndColumnsThatStayAreSharedEvenly) {
  const int ranks = world().size();
  for (const std::int64_t columns : {192, 205, 300, 512, 1024}) {
    std::vector<GradientBlock> blocks = blocks_of(columns);
    let_columns_stay(blocks, cut_grains(256, world().rank(), ranks), ranks, false);
    const bool some_travel =
        std::any_of(blocks.begin(), blocks.end(), [](const GradientBlock& block) { return block.columns > 0 && !block.stays; });
    const auto exchange = make_factor_exchange(world(), blocks, {}, false);
    float staying = 0;
    std::vector<double> elements{0};
    for (const GradientBlock& block : exchange->own()) {
      staying += block.stays ? static_cast<float>(block.columns) : 0;
      elements[0] += static_cast<double>(block.count);
    }
    world().sum(elements);
    EXPECT_EQ(elements[0], static_cast<double>(784 * columns + 10400 + 9300 + 50000)) << columns << " columns";
    const std::vector<float> all = world().all_gather(std::span<const float>(&staying, 1));
    const auto [fewest, most] = std::minmax_element(all.begin(), all.end());
    EXPECT_LE(*most - *fewest, some_travel ? 0 : 48) << columns << " columns";
  }
}

}  // namespace
}  // namespace lockstep
