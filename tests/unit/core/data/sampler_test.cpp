#include "core/data/sampler.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>
#include <set>

#include "cluster/error.h"

namespace lockstep {
namespace {

struct Case {
  std::int64_t rows, batch, shards;
};

class SamplerTest : public testing::TestWithParam<Case> {};

/// Rows of one step, without empty slots.
std::vector<std::int64_t> step_rows(const Sampler& sampler, const std::vector<std::int64_t>& order, std::int64_t step) {
  std::vector<std::int64_t> rows;
  for (std::int64_t p = 0; p < sampler.slots(); ++p) {
    const std::int64_t row = order[static_cast<std::size_t>(step * sampler.slots() + p)];
    if (row >= 0) rows.push_back(row);
  }
  return rows;
}

TEST_P(SamplerTest, EveryEpochHoldsEveryRowOnceInBatchesOfTheRightSize) {
  const auto [rows, batch, shards] = GetParam();
  for (const bool shuffle : {true, false}) {
    const Sampler sampler(rows, batch, shards, 7, shuffle);
    EXPECT_EQ(sampler.steps(), (rows + batch - 1) / batch);
    for (std::int64_t epoch = 0; epoch < 2; ++epoch) {
      const std::vector<std::int64_t> order = sampler.order(epoch, 0, sampler.slots());
      std::multiset<std::int64_t> seen;
      for (std::int64_t step = 0; step < sampler.steps(); ++step) {
        const std::vector<std::int64_t> in_step = step_rows(sampler, order, step);
        EXPECT_EQ(static_cast<std::int64_t>(in_step.size()), sampler.rows_in_step(step)) << "step " << step;
        seen.insert(in_step.begin(), in_step.end());
      }
      std::vector<std::int64_t> all(static_cast<std::size_t>(rows));
      std::iota(all.begin(), all.end(), 0);
      EXPECT_TRUE(std::equal(seen.begin(), seen.end(), all.begin(), all.end()));
    }
  }
}

TEST_P(SamplerTest, EveryNumberOfRanksSeesTheSameBatchesAndReadsOnlyItsRanges) {
  const auto [rows, batch, shards] = GetParam();
  for (const bool shuffle : {true, false}) {
    const Sampler sampler(rows, batch, shards, 7, shuffle);
    const std::vector<std::int64_t> whole = sampler.order(1, 0, sampler.slots());
    for (int size = 1; size <= 5; ++size) {
      std::int64_t covered = 0;
      for (int rank = 0; rank < size; ++rank) {
        const Grains grains = cut_grains(sampler.slots(), rank, size);
        const std::int64_t first = grains.first_slot(), width = grains.own_slots();
        EXPECT_EQ(first, covered);
        covered += width;
        const std::vector<std::int64_t> own = sampler.order(1, first, first + width);
        const std::vector<RowRange> ranges = sampler.ranges(first, first + width);
        for (std::int64_t i = 0; i < static_cast<std::int64_t>(own.size()); ++i) {
          const std::int64_t slot = first + i % width;  // the last grain may reach past the last slot
          const std::int64_t expected = slot < sampler.slots() ? whole[static_cast<std::size_t>(i / width * sampler.slots() + slot)] : -1;
          ASSERT_EQ(own[static_cast<std::size_t>(i)], expected);
          if (expected < 0) continue;
          ASSERT_TRUE(
              std::any_of(ranges.begin(), ranges.end(), [&](const RowRange& r) { return r.first <= expected && expected < r.last; }));
        }
      }
      EXPECT_GE(covered, sampler.slots());
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Sizes, SamplerTest,
                         testing::Values(Case{1, 1, 0}, Case{1, 32, 0}, Case{3, 32, 0}, Case{31, 32, 0}, Case{32, 32, 0}, Case{33, 32, 0},
                                         Case{1000, 32, 0}, Case{1001, 7, 0}, Case{997, 13, 5}, Case{50, 4, 16}, Case{101, 10, 100},
                                         Case{5000, 2003, 0}, Case{4100, 2048, 0}, Case{10, 3, 64}));

TEST(Sampler, ABatchTakesOneRowOfEachShard) {
  const Sampler sampler(640, 32, 0, 3, true);
  const std::vector<std::int64_t> order = sampler.order(0, 0, sampler.slots());
  for (std::int64_t step = 0; step < sampler.steps(); ++step) {
    for (std::int64_t v = 0; v < 32; ++v) EXPECT_EQ(order[static_cast<std::size_t>(step * 32 + v)] / 20, v);
  }
}

TEST(Sampler, OrderDependsOnSeedAndEpochAlone) {
  const auto order = [](std::uint64_t seed, std::int64_t epoch) { return Sampler(640, 32, 0, seed, true).order(epoch, 0, 32); };
  EXPECT_EQ(order(1, 0), order(1, 0));
  EXPECT_NE(order(1, 0), order(1, 1));
  EXPECT_NE(order(1, 0), order(2, 0));
}

TEST(Sampler, ShufflesEvenly) {
  // Over many epochs each row of a shard of 4 comes first equally often: 4000 epochs, expected 1000, standard deviation 27.
  const Sampler sampler(4, 1, 1, 11, true);
  std::vector<int> first(4);
  for (std::int64_t epoch = 0; epoch < 4000; ++epoch) ++first[static_cast<std::size_t>(sampler.order(epoch, 0, 1)[0])];
  for (const int count : first) EXPECT_NEAR(count, 1000, 150);
}

TEST(Sampler, WithoutShufflingKeepsTheOrderOfTheFile) {
  const Sampler sampler(10, 4, 0, 0, false);
  EXPECT_EQ(sampler.order(5, 0, 4), (std::vector<std::int64_t>{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, -1, -1}));
  EXPECT_EQ(sampler.order(5, 2, 4), (std::vector<std::int64_t>{2, 3, 6, 7, -1, -1}));
}

TEST(Sampler, RefusesNonsense) {
  EXPECT_THROW(Sampler(0, 32, 0, 0, true), Error);
  EXPECT_THROW(Sampler(10, 0, 0, 0, true), Error);
  EXPECT_THROW(Sampler(10, 4, -1, 0, true), Error);
}

}  // namespace
}  // namespace lockstep
