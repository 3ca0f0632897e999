#include "core/philox.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

// Random123's known answers for philox4x32-10.
TEST(Philox, KnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (PhiloxBlock{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  EXPECT_EQ(philox({~0U, ~0U, ~0U, ~0U}, {~0U, ~0U}), (PhiloxBlock{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (PhiloxBlock{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(RandomStream, DiffersBySeedPurposeIdAndIndex) {
  const PhiloxBlock base = RandomStream(1, RandomPurpose::weights, 0).block(5, 6);
  EXPECT_EQ(base, RandomStream(1, RandomPurpose::weights, 0).block(5, 6));
  EXPECT_NE(base, RandomStream(2, RandomPurpose::weights, 0).block(5, 6));
  EXPECT_NE(base, RandomStream(1, RandomPurpose::dropout, 0).block(5, 6));
  EXPECT_NE(base, RandomStream(1, RandomPurpose::weights, 1).block(5, 6));
  EXPECT_NE(base, RandomStream(1, RandomPurpose::weights, 0).block(6, 5));
}

TEST(Uniform, LiesInTheUnitInterval) {
  EXPECT_EQ(uniform(0), 0.F);
  EXPECT_LT(uniform(~0U), 1.F);
}

}  // namespace
}  // namespace lockstep
