#include "core/compile/schedules.h"

#include <gtest/gtest.h>

#include <array>

#include "cluster/error.h"
#include "core/compile/optimizers.h"

namespace lockstep {
namespace {

constexpr std::array<std::int64_t, 8> kSteps = {0, 1, 3, 4, 7, 10, 12, 23};

void expect_rates(const LearningRate& rate, const std::array<double, 8>& expected) {
  for (std::size_t i = 0; i < kSteps.size(); ++i)
    EXPECT_NEAR(static_cast<double>(rate.at(kSteps[i])), expected[i], 2e-8) << "step " << kSteps[i];
}

// Golden values: Keras 3.15.
TEST(Schedules, GoldenValuesOfKeras) {
  ExponentialDecay exponential{.initial_learning_rate = 0.1F, .decay_steps = 10, .decay_rate = 0.9F};
  expect_rates(exponential, {.1, .09895192832, .09688861668, .0958731547, .09289016575, .09, .08812335134, .07847977430});
  exponential.staircase = true;
  expect_rates(exponential, {.1, .1, .1, .1, .1, .09, .09, .081});
  InverseTimeDecay inverse{.initial_learning_rate = 0.1F, .decay_steps = 10, .decay_rate = 0.5F};
  expect_rates(inverse, {.1, .09523810446, .08695652336, .08333332837, .07407407463, .06666667014, .0625, .04651162773});
  inverse.staircase = true;
  expect_rates(inverse, {.1, .1, .1, .1, .1, .06666667014, .06666667014, .05});
  expect_rates(PiecewiseConstantDecay{.boundaries = {3, 7}, .values = {0.1F, 0.05F, 0.01F}}, {.1, .1, .1, .05, .05, .01, .01, .01});
  expect_rates(PolynomialDecay{.initial_learning_rate = 0.1F, .decay_steps = 10, .end_learning_rate = 0.01F, .power = 2},
               {.1, .08289999515, .05409999937, .04240000248, .01810000092, .01, .01, .01});
  expect_rates(PolynomialDecay{.initial_learning_rate = 0.1F, .decay_steps = 10, .end_learning_rate = 0.01F, .power = 0.5F, .cycle = true},
               {.1, .09538149834, .08529940248, .0797137022, .0592950359, .01, .06692100316, .0534741357});
  expect_rates(CosineDecay{.initial_learning_rate = 0.1F, .decay_steps = 10, .alpha = 0.1F},
               {.1, .09779754281, .08145033568, .06890576333, .02854966559, .01, .01, .01});
  expect_rates(CosineDecay{.initial_learning_rate = 0, .decay_steps = 10, .alpha = 0.1F, .warmup_target = 0.2F, .warmup_steps = 4},
               {0, .05, .15, .2, .1629006714, .0821884498, .0371884666, .02});
  expect_rates(CosineDecayRestarts{.initial_learning_rate = 0.1F, .first_decay_steps = 4, .m_mul = 0.5F, .alpha = 0.1F},
               {.1, .08681981266, .0231801961, .055, .0411103778, .0165900979, .0325, .0149998339});
  expect_rates(CosineDecayRestarts{.initial_learning_rate = 0.1F, .first_decay_steps = 4, .t_mul = 1, .m_mul = 0.9F},
               {.1, .0853553414, .0146446619, .09, .0131801954, .0405, .0729, .0086475257});
  expect_rates(0.25F, {.25, .25, .25, .25, .25, .25, .25, .25});
}

void expect_refused(const LearningRate& rate) {
  try {
    check(OptimizerSpec(Sgd{.learning_rate = rate}));
    ADD_FAILURE() << "accepted";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), kUsage);
  }
}

TEST(Schedules, WrongSettingsAreErrors) {
  expect_refused(-1.F);
  expect_refused(ExponentialDecay{.initial_learning_rate = 0.1F, .decay_rate = 0.5F});
  expect_refused(PiecewiseConstantDecay{.boundaries = {3, 7}, .values = {0.1F, 0.05F}});
  expect_refused(PiecewiseConstantDecay{});
  expect_refused(PiecewiseConstantDecay{.boundaries = {7, 3}, .values = {0.1F, 0.05F, 0.01F}});
  expect_refused(CosineDecayRestarts{.initial_learning_rate = 0.1F, .first_decay_steps = 4, .t_mul = 0.5F});
}

}  // namespace
}  // namespace lockstep
