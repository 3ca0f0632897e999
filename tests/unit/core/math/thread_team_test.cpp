#include "core/math/thread_team.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <future>
#include <numeric>
#include <stdexcept>

namespace lockstep {
namespace {

TEST(ForEachGrain, CallsEveryNumberOnceInEqualRuns) {
  for (const int threads : {1, 2, 3, 5, 2}) {
    for (const std::int64_t count : {0, 1, 2, 3, 7, 64}) {
      std::vector<int> calls(static_cast<std::size_t>(count)), by(calls.size());
      for_each_grain(threads, count, [&](std::int64_t i) {
        ++calls[static_cast<std::size_t>(i)];
        by[static_cast<std::size_t>(i)] = grain_thread();
      });
      EXPECT_EQ(calls, std::vector<int>(calls.size(), 1)) << threads << " threads";
      for (std::size_t i = 0; i < by.size() && threads > 1 && count > 1; ++i) {
        const auto here = std::count(by.begin(), by.end(), by[i]), longer = count % threads;
        EXPECT_EQ(here, count / threads + (by[i] < longer ? 1 : 0)) << count << " on " << threads << " threads";
        EXPECT_TRUE(std::is_sorted(by.begin(), by.end()));
      }
    }
  }
}

TEST(ForEachGrain, ThreadsRunBesideEachOther) {
  std::array<std::promise<void>, 3> here;
  std::array<std::future<void>, 3> others{here[0].get_future(), here[1].get_future(), here[2].get_future()};
  for_each_grain(3, 3, [&](std::int64_t i) {  // 0 waits for 1, 1 for 2
    if (i < 2) others[static_cast<std::size_t>(i) + 1].wait();
    here[static_cast<std::size_t>(i)].set_value();
  });
}

TEST(ForEachGrain, WhatItWroteIsSeenAfterwards) {
  std::vector<std::int64_t> sums(4);
  for (int round = 0; round < 2000; ++round) for_each_grain(4, 4, [&](std::int64_t i) { sums[static_cast<std::size_t>(i)] += i + round; });
  EXPECT_EQ(std::accumulate(sums.begin(), sums.end(), std::int64_t{0}), 2000 * 6 + 4 * (1999 * 2000 / 2));
}

TEST(ForEachGrain, AnExceptionComesBackAndTheTeamGoesOn) {
  for (const std::int64_t thrower : {0, 3}) {
    EXPECT_THROW(for_each_grain(2, 4,
                                [&](std::int64_t i) {
                                  if (i == thrower) throw std::runtime_error("no");
                                }),
                 std::runtime_error);
  }
  std::atomic<int> calls{0};
  for_each_grain(2, 4, [&](std::int64_t) { ++calls; });
  EXPECT_EQ(calls, 4);
}

TEST(ForEachGrain, ThreadsHaveTeamsOfTheirOwn) {
  std::array<std::future<std::int64_t>, 3> results;
  for (auto& result : results) {
    result = std::async(std::launch::async, [] {
      std::atomic<std::int64_t> sum{0};
      for (int round = 0; round < 100; ++round) for_each_grain(2, 10, [&](std::int64_t i) { sum += i; });
      return sum.load();
    });
  }
  for (auto& result : results) EXPECT_EQ(result.get(), 4500);
}

}  // namespace
}  // namespace lockstep
