// Expected value: Python's xxhash 3.x, xxhash.xxh64.
#include <gtest/gtest.h>

#include "core/training/sequential.h"

namespace lockstep {
namespace {

TEST(WeightsDigest, IsXxh64OfTheWeightsInOrder) {
  Sequential model{Input{{2}}, Dense{3}};
  model.build({2});
  model.set_weights({{0.5F, -1.25F, 3.0F, 1e-7F, 2.5F, -0.0F}, {0.125F, 7.0F, -8.5F}});
  EXPECT_EQ(model.digest(), 0x9708eb60a81856ddU);
  model.set_weights({{0.5F, -1.25F, 3.0F, 1e-7F, 2.5F, 0.0F}, {0.125F, 7.0F, -8.5F}});
  EXPECT_NE(model.digest(), 0x9708eb60a81856ddU) << "the sign of zero";
}

}  // namespace
}  // namespace lockstep
