#include "core/network/batch_sums.h"

#include <gtest/gtest.h>

#include <cmath>

namespace lockstep {
namespace {

/// Numbers whose sum depends on the order in which they are added.
double number(std::int64_t grain, std::int64_t i) {
  return std::sin(static_cast<double>(grain * 101 + i)) * std::pow(10.0, static_cast<double>((grain * 5 + i) % 12));
}

TEST(BatchSums, AreThoseOfTheTreeAtAnyNumberOfThreads) {
  for (const std::int64_t grains : {1, 2, 3, 7, 16}) {
    GrainTree tree(grains, 1);
    constexpr std::int64_t kCount = 5;
    std::vector<double> expected(kCount), scratch(static_cast<std::size_t>(tree.scratch() * kCount));
    const auto collect = [&](std::int64_t g, double* sums) {
      for (std::int64_t i = 0; i < kCount; ++i) sums[i] = number(g, i);
    };
    tree.sum_part(0, kCount, expected.data(), scratch.data(), collect);
    for (const int threads : {1, 2, 3}) {
      BatchSums sums(grains);
      const std::span<const double> found = sums.add(kCount, threads, collect);
      EXPECT_EQ(std::vector<double>(found.begin(), found.end()), expected) << grains << " grains, " << threads << " threads";
    }
  }
}

TEST(BatchSums, OfAnotherCountFollow) {
  BatchSums sums(3);
  const auto ones = [](std::int64_t count) { return [count](std::int64_t, double* values) { std::fill_n(values, count, 1.0); }; };
  for (const std::int64_t count : {4, 1, 9}) {
    const std::span<const double> found = sums.add(count, 1, ones(count));
    EXPECT_EQ(std::vector<double>(found.begin(), found.end()), std::vector<double>(static_cast<std::size_t>(count), 3.0));
  }
}

}  // namespace
}  // namespace lockstep
