#include "cluster/world.h"

#include <gtest/gtest.h>

#include <cstdlib>
#include <numeric>

#include "support/mpi_world.h"

namespace lockstep {
namespace {

using test::world;

TEST(World, KnowsItsPlace) {
  const char* size = std::getenv("OMPI_COMM_WORLD_SIZE");
  EXPECT_EQ(world().size(), size == nullptr ? 1 : std::atoi(size));
  EXPECT_EQ(world().hosts(), 1);
  EXPECT_EQ(world().local_size(), world().size());
  EXPECT_EQ(world().local_rank(), world().rank());
  EXPECT_FALSE(world().hostname().empty());
}

TEST(World, OfOneProcessNeedsNoMpi) {
  const World alone;
  EXPECT_EQ(alone.size(), 1);
  EXPECT_EQ(alone.communicator(), nullptr);
  std::vector<double> values{1.5, 2.5};
  alone.sum(values);
  alone.barrier();
  EXPECT_EQ(values, (std::vector<double>{1.5, 2.5}));
  EXPECT_EQ(alone.broadcast("text"), "text");
  EXPECT_EQ(alone.all_gather("me"), std::vector<std::string>{"me"});
}

TEST(World, BroadcastsFromEveryRank) {
  for (int root = 0; root < world().size(); ++root) {
    const std::string text(static_cast<std::size_t>(root) * 1000, static_cast<char>('a' + root));
    EXPECT_EQ(world().broadcast(world().rank() == root ? text : "other", root), text);
  }
}

TEST(World, SumsInOrderOfRank) {
  for (const std::size_t size : {0UL, 1UL, 7UL, 4096UL, 10007UL}) {
    std::vector<double> values(size);
    for (std::size_t i = 0; i < size; ++i) values[i] = 0.1 * static_cast<double>(i) + world().rank();
    world().sum(values);
    for (std::size_t i = 0; i < size; ++i) {
      double expected = 0.1 * static_cast<double>(i);
      for (int r = 1; r < world().size(); ++r) expected += 0.1 * static_cast<double>(i) + r;
      ASSERT_EQ(values[i], expected);
    }
  }
  std::vector<std::int64_t> counts{1, world().rank()};
  world().sum(counts);
  EXPECT_EQ(counts[0], world().size());
  EXPECT_EQ(counts[1], world().size() * (world().size() - 1) / 2);
}

TEST(World, GathersDifferentLengths) {
  const auto rank = static_cast<std::size_t>(world().rank());
  const std::vector<std::string> texts = world().all_gather(std::string(rank, 'x'));
  ASSERT_EQ(texts.size(), static_cast<std::size_t>(world().size()));
  for (std::size_t r = 0; r < texts.size(); ++r) EXPECT_EQ(texts[r], std::string(r, 'x'));
  const std::vector<float> own(rank * 3, static_cast<float>(rank));
  const std::vector<float> all = world().all_gather(std::span<const float>(own));
  std::vector<float> expected;
  for (std::size_t r = 0; r < texts.size(); ++r) expected.insert(expected.end(), r * 3, static_cast<float>(r));
  EXPECT_EQ(all, expected);
}

TEST(World, AgreesOnTheLowestRankThatFailed) {
  world().agree([] {});
  for (int failing = 0; failing < world().size(); ++failing) {
    try {
      world().agree([&] {
        if (world().rank() >= failing) throw Error("no file on rank " + std::to_string(world().rank()), kUsage);
      });
      FAIL() << "expected an AgreedError";
    } catch (const AgreedError& error) {
      EXPECT_STREQ(error.what(), ("no file on rank " + std::to_string(failing)).c_str());
      EXPECT_EQ(error.failing_rank(), failing);
      EXPECT_EQ(error.exit_code(), kUsage);
    }
  }
}

}  // namespace
}  // namespace lockstep
