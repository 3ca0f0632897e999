// Every algorithm at every size: closed-form integers, exact in float, and random numbers against a sum in double.
#include "cluster/collectives/allreduce.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <cstring>
#include <random>

#include "cluster/collectives/allreduce_table.h"
#include "support/mpi_world.h"

namespace lockstep {
namespace {

using test::world;

const std::vector<std::size_t> kSizes = {0, 1, 2, 3, 5, 15, 16, 17, 31, 1000, 1023, 65537, 266610, (1U << 20U) + 3};

class AllreduceTest : public testing::TestWithParam<AllreduceAlgorithm> {
 protected:
  std::unique_ptr<Allreduce> allreduce_ = make_allreduce(world(), GetParam());
};

/// Element i of rank r: small integers, so that sums over ranks are exact.
template <class T>
T value(std::size_t i, int rank) {
  return static_cast<T>((i * 7 + static_cast<std::size_t>(rank) * 13) % 101);
}

template <class T>
void fill_and_check(Allreduce& allreduce, std::span<T> data) {
  for (std::size_t i = 0; i < data.size(); ++i) data[i] = value<T>(i, world().rank());
  allreduce.sum(data);
  for (std::size_t i = 0; i < data.size(); ++i) {
    T expected = 0;
    for (int r = 0; r < world().size(); ++r) expected += value<T>(i, r);
    ASSERT_EQ(data[i], expected) << "element " << i << " of " << data.size();
  }
}

TEST_P(AllreduceTest, SumsPrivateMemory) {
  for (const std::size_t size : kSizes) {
    std::vector<float> floats(size);
    fill_and_check<float>(*allreduce_, floats);
    std::vector<double> doubles(size);
    fill_and_check<double>(*allreduce_, doubles);
  }
}

TEST_P(AllreduceTest, SumsAllocatedMemoryAndItsParts) {
  for (const std::size_t size : kSizes) {
    const std::span<float> data = allreduce_->allocate(size);
    ASSERT_EQ(data.size(), size);
    ASSERT_EQ(reinterpret_cast<std::uintptr_t>(data.data()) % 64, 0U);
    for (const float x : data) ASSERT_EQ(x, 0.F);
    fill_and_check<float>(*allreduce_, data);
    if (size > 40) fill_and_check<float>(*allreduce_, data.subspan(16, size - 33));
  }
}

TEST_P(AllreduceTest, AllRanksHoldTheSameBitsCloseToTheSumInDouble) {
  const std::size_t size = 100003;
  std::vector<double> expected(size);
  std::vector<float> data(size);
  for (int r = 0; r < world().size(); ++r) {
    std::mt19937 random(static_cast<unsigned>(r));
    std::normal_distribution<float> normal;
    for (std::size_t i = 0; i < size; ++i) {
      const float x = normal(random);
      expected[i] += static_cast<double>(x);
      if (r == world().rank()) data[i] = x;
    }
  }
  allreduce_->sum(std::span<float>(data));
  for (std::size_t i = 0; i < size; ++i) ASSERT_NEAR(static_cast<double>(data[i]), expected[i], 1e-6 * (std::abs(expected[i]) + 3));
  std::string bytes(size * sizeof(float), '\0');
  std::memcpy(bytes.data(), data.data(), bytes.size());
  ASSERT_EQ(world().broadcast(bytes), bytes);
}

TEST_P(AllreduceTest, ManySmallSumsInARow) {
  const std::span<float> data = allreduce_->allocate(37);
  for (int i = 0; i < 200; ++i) fill_and_check<float>(*allreduce_, data.first(static_cast<std::size_t>(i % 38)));
}

TEST_P(AllreduceTest, SumsInParts) {
  for (const std::size_t size : kSizes) {
    const std::span<float> data = allreduce_->allocate(size);
    for (const bool polls : {true, false}) {
      for (std::size_t i = 0; i < size; ++i) data[i] = value<float>(i, world().rank());
      allreduce_->start(data);
      while (polls && !allreduce_->advance()) {
      }
      allreduce_->finish();
      for (std::size_t i = 0; i < size; ++i) {
        float expected = 0;
        for (int r = 0; r < world().size(); ++r) expected += value<float>(i, r);
        ASSERT_EQ(data[i], expected) << "element " << i << " of " << size;
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Algorithms, AllreduceTest,
                         testing::Values(AllreduceAlgorithm::automatic, AllreduceAlgorithm::shared, AllreduceAlgorithm::ring,
                                         AllreduceAlgorithm::halving_doubling, AllreduceAlgorithm::recursive_doubling,
                                         AllreduceAlgorithm::mpi));

TEST(Allreduce, AlgorithmsTakeTurns) {
  const auto ring = make_allreduce(world(), AllreduceAlgorithm::ring), shared = make_allreduce(world(), AllreduceAlgorithm::shared);
  std::vector<float> data(5000);
  for (int i = 0; i < 20; ++i) {
    fill_and_check<float>(*ring, data);
    fill_and_check<float>(*shared, data);
  }
}

/// The tree over ranks is the same in all algorithms that add in a tree, where the number of ranks is a power of two.
TEST(Allreduce, TreesGiveTheSameBits) {
  if ((world().size() & (world().size() - 1)) != 0) return;
  std::vector<std::vector<float>> results;
  for (const AllreduceAlgorithm algorithm :
       {AllreduceAlgorithm::shared, AllreduceAlgorithm::halving_doubling, AllreduceAlgorithm::recursive_doubling}) {
    std::mt19937 random(static_cast<unsigned>(world().rank()));
    std::normal_distribution<float> normal;
    std::vector<float>& data = results.emplace_back(70001);
    for (float& x : data) x = normal(random);
    make_allreduce(world(), algorithm)->sum(std::span<float>(data));
    ASSERT_EQ(data, results[0]);
  }
}

TEST(Allreduce, ChoosesBySize) {
  using enum AllreduceAlgorithm;
  // Lines that cross at 40 KB.
  const AllreduceTable table({10000, 100000}, {{recursive_doubling, {1e-4, 4e-4}}, {ring, {2e-4, 2e-4}}});
  EXPECT_EQ(table.at(8), recursive_doubling);
  EXPECT_EQ(table.at(32U << 10U), recursive_doubling);
  EXPECT_EQ(table.at(64U << 10U), ring);
  EXPECT_EQ(table.at(std::size_t{1} << 40U), ring);
  EXPECT_EQ(table.text(), "recursive-doubling to 32 KB, ring above");
  const auto chosen = make_allreduce(world(), table);
  EXPECT_EQ(chosen->name(), table.text());
  for (const std::size_t size : kSizes) {
    const std::span<float> data = chosen->allocate(size);
    fill_and_check<float>(*chosen, data);
    std::vector<double> doubles(size);
    fill_and_check<double>(*chosen, doubles);
  }
}

TEST(Allreduce, UnknownNameListsTheKnownOnes) {
  try {
    allreduce_from_name("nccl");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), kUsage);
    EXPECT_NE(std::string(error.what()).find("auto, shared, ring, halving-doubling, recursive-doubling, mpi"), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep
