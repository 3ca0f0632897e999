#include "core/math/subnormals.h"

#include <gtest/gtest.h>

#include <limits>

#include "core/compile/optimizers/optimizer.h"
#include "core/math/thread_team.h"
#include "core/training/sequential.h"
#include "support/small_model.h"

namespace lockstep {
namespace {

float half_of_the_smallest() {
  volatile float smallest = std::numeric_limits<float>::min();
  return smallest * 0.5F;
}

TEST(NoSubnormals, AreFlushedInTheScopeAloneAndInItsTeam) {
#if defined(__x86_64__) || defined(__aarch64__)
  EXPECT_GT(half_of_the_smallest(), 0.F);
  {
    const NoSubnormals scope;
    EXPECT_EQ(half_of_the_smallest(), 0.F);
    for_each_grain(3, 3, [](std::int64_t) { EXPECT_EQ(half_of_the_smallest(), 0.F); });
  }
  EXPECT_GT(half_of_the_smallest(), 0.F);
#else
  GTEST_SKIP() << "no such switch on this architecture";
#endif
}

/// A momentum that decays without a gradient ends at zero, not among the numbers that slow a step down.
TEST(NoSubnormals, TrainingMakesNone) {
  Sequential model;
  model.add(Input{{2}});
  model.add(Dense{1});
  model.compile({.loss = MeanSquaredError{}, .optimizer = Adam{.beta_1 = 0.5F}});
  std::vector<float> x(128 * 2, 0.F), y(128, 1.F);
  for (std::size_t row = 0; row < 128; ++row) x[2 * row] = 1;  // the second input is always 0
  x[1] = 1e-3F;                                                // but once
  const ArrayDataset data({2}, x, y);
  model.fit(data, {.batch_size = 1, .shuffle = false, .verbose = 0});
  for (const OptimizerSlot& slot : model.optimizer()->slots()) {
    for (const float value : slot.values.span()) EXPECT_TRUE(value == 0 || std::abs(value) >= std::numeric_limits<float>::min()) << value;
  }
}

}  // namespace
}  // namespace lockstep
