#include "core/math/philox.h"

#include <gtest/gtest.h>

#include <set>

namespace lockstep {
namespace {

// The known answers of Random123 (tests/kat_vectors, philox4x32-10).
TEST(Philox, KnownAnswers) {
  constexpr std::uint32_t kAll = 0xffffffffU;
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5U, 0xe169c58dU, 0xbc57ac4cU, 0x9b00dbd8U}));
  EXPECT_EQ(philox({kAll, kAll, kAll, kAll}, {kAll, kAll}), (PhiloxBlock{0x408f276dU, 0x41c83b0eU, 0xa20bc7c6U, 0x6d5451fdU}));
  EXPECT_EQ(philox({0x243f6a88U, 0x85a308d3U, 0x13198a2eU, 0x03707344U}, {0xa4093822U, 0x299f31d0U}),
            (PhiloxBlock{0xd16cfe09U, 0x94fdccebU, 0x5001e420U, 0x24126ea1U}));
}

TEST(Philox, StreamsDifferInEveryPartOfTheirKey) {
  std::set<PhiloxBlock> blocks;
  for (const std::uint64_t seed : {0ULL, 1ULL, 1ULL << 32U}) {
    for (const RandomPurpose purpose : {RandomPurpose::weights, RandomPurpose::dropout, RandomPurpose::shuffle, RandomPurpose::split}) {
      for (const std::uint32_t id : {0U, 2U}) {
        const RandomStream stream(seed, purpose, id);
        for (const std::uint64_t i : {0ULL, 1ULL, 1ULL << 32U}) {
          for (const std::uint64_t j : {0ULL, 1ULL, 1ULL << 32U}) blocks.insert(stream.block(i, j));
        }
      }
    }
  }
  EXPECT_EQ(blocks.size(), 3U * 4 * 2 * 9);
}

TEST(Philox, UniformLiesInZeroToOne) {
  EXPECT_EQ(uniform(0), 0.0F);
  EXPECT_EQ(uniform(0x80000000U), 0.5F);
  EXPECT_LT(uniform(0xffffffffU), 1.0F);
}

}  // namespace
}  // namespace lockstep
