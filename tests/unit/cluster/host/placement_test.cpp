#include "cluster/host/placement.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(FairThreads, RanksThatShareAllCoresDivideThem) {
  const std::vector<int> all{0, 1, 2, 3, 4, 5, 6, 7};
  EXPECT_EQ(fair_threads(all, {all}), 8);
  EXPECT_EQ(fair_threads(all, {all, all}), 4);
  EXPECT_EQ(fair_threads(all, {all, all, all}), 2);
}

TEST(FairThreads, RanksBoundToCoresOfTheirOwnKeepThem) {
  EXPECT_EQ(fair_threads({0, 1, 2, 3}, {{0, 1, 2, 3}, {4, 5, 6, 7}}), 4);
  EXPECT_EQ(fair_threads({0, 1, 2}, {{0, 1, 2}, {2, 3, 4}}), 2);
}

TEST(FairThreads, IsAtLeastOne) {
  EXPECT_EQ(fair_threads({0}, {{0}, {0}, {0}}), 1);
  EXPECT_EQ(fair_threads({}, {}), 1);
}

TEST(ThreadsForRank, TheUsersWishWins) { EXPECT_EQ(threads_for_rank(World(), 3), 3); }

TEST(TooManyThreads, AreThoseBeyondTheCores) {
  const RankPlace rank{0, "h", 1, 2, 2, 2};
  EXPECT_EQ(too_many_threads({rank}), "");
  RankPlace many = rank;
  many.threads = 64;
  EXPECT_NE(too_many_threads({many}).find("rank 0 on h has 64 threads"), std::string::npos) << too_many_threads({many});
  EXPECT_NE(too_many_threads({rank, rank}).find("2 ranks of that host 2 together"), std::string::npos) << "each for itself has its cores";
  RankPlace single = rank;
  single.threads = 1;
  EXPECT_EQ(too_many_threads({single, single, single}), "") << "ranks that take turns are another matter";
}

TEST(RankPlaces, OfOneProcess) {
  const auto places = rank_places(World(), 2);
  ASSERT_EQ(places.size(), 1U);
  EXPECT_EQ(places[0].threads, 2);
  EXPECT_GE(places[0].cores, 1);
  EXPECT_EQ(places[0].pid, static_cast<long>(getpid()));
}

}  // namespace
}  // namespace lockstep
