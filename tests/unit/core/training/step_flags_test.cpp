#include "core/training/step_flags.h"

#include <gtest/gtest.h>

#include <array>

namespace lockstep {
namespace {

/// The sum over ranks of what each writes; rank r's fingerprint is `print`, but `other` on rank 0.
AgreedFlags agreed(int ranks, std::uint64_t print, std::uint64_t other) {
  std::array<float, 16> sums{};
  for (int r = 0; r < ranks; ++r) {
    std::array<float, 16> own{};
    write_flags({.request = {}, .fingerprint = r == 0 ? other : print}, own);
    for (std::size_t i = 0; i < own.size(); ++i) sums[i] += own[i];
  }
  return read_flags(sums, ranks);
}

TEST(StepFlags, EqualFingerprintsAgreeOnAnyNumberOfRanks) {
  for (const int ranks : {1, 2, 3, 5, 64, 1000}) {
    for (std::uint64_t print = 0; print < 50; ++print) EXPECT_FALSE(agreed(ranks, print * 977, print * 977).differs) << ranks << " ranks";
  }
}

TEST(StepFlags, WhatOneRankSaysReachesAll) {
  std::array<float, 16> sums{}, own{};
  write_flags({.request = {}, .unread = true}, sums);
  write_flags({.request = {.stop = true}}, own);
  for (std::size_t i = 0; i < own.size(); ++i) sums[i] += own[i];
  const AgreedFlags all = read_flags(sums, 2);
  EXPECT_TRUE(all.unread);
  EXPECT_TRUE(all.request.stop);
  EXPECT_FALSE(all.diverged);
  EXPECT_FALSE(all.request.checkpoint);
}

TEST(StepFlags, OneRankThatDiffersIsSeenInAllButOneOf4096Steps) {
  for (const int ranks : {2, 3, 5, 64, 1000}) {
    int missed = 0;
    for (std::uint64_t print = 0; print < 10000; ++print) missed += agreed(ranks, print, print + 1).differs ? 0 : 1;
    EXPECT_LE(missed, 10) << ranks << " ranks";  // 2.4 are expected
  }
}

}  // namespace
}  // namespace lockstep
