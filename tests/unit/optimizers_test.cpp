// Golden values of Keras 3.15.1 (w0 = 1, g = 0.5, -0.25, 0.1), clips by hand, and 200 random steps against the formulas in double.
#include "core/optimizers.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "cluster/error.h"

namespace lockstep {
namespace {

std::vector<double> three_steps(const OptimizerSpec& spec) {
  Optimizer optimizer(spec, 16, {{0, 1}});
  Buffer w(16), g(16);
  w.data()[0] = 1;
  std::vector<double> seen;
  for (const float gradient : {0.5F, -0.25F, 0.1F}) {
    g.data()[0] = gradient;
    optimizer.step(w.span(), g.span());
    seen.push_back(static_cast<double>(w.data()[0]));
  }
  for (int i = 1; i < 16; ++i) EXPECT_EQ(w.data()[i], 0.F) << "padding must stay zero";
  EXPECT_EQ(optimizer.iterations(), 3);
  return seen;
}

struct Golden {
  OptimizerSpec spec;
  std::vector<double> expected;
};
class OptimizerGolden : public testing::TestWithParam<Golden> {};

TEST_P(OptimizerGolden, EqualsKeras) {
  const std::vector<double> seen = three_steps(GetParam().spec);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_NEAR(seen[i], GetParam().expected[i], 3e-7);
}

INSTANTIATE_TEST_SUITE_P(All, OptimizerGolden,
                         testing::Values(Golden{Sgd{}, {.995, .9975, .9965}}, Golden{Sgd{.momentum = 0.9F}, {.995, .993, .9902}},
                                         Golden{Sgd{.momentum = 0.9F, .nesterov = true}, {.9905, .9912, .98768}},
                                         Golden{Adam{}, {.999000006, .998733671, .998418429}},
                                         Golden{AdamW{}, {.998996006, .998725675, .998406438}},
                                         Golden{RMSprop{}, {.996837729, .998312146, .997702153}},
                                         Golden{RMSprop{.momentum = 0.9F, .centered = true}, {.996666674, .995151463, .993168683}}));

TEST(Optimizer, AdamFollowsItsFormulaOver200Steps) {
  constexpr int kCount = 33;
  for (const bool amsgrad : {false, true}) {
    Optimizer optimizer(Adam{.amsgrad = amsgrad}, kCount, {{0, kCount}});
    Buffer w(kCount), g(kCount);
    std::vector<double> dw(kCount), m(kCount), v(kCount), hat(kCount);
    std::mt19937 random(1);
    std::normal_distribution<float> normal;
    for (int t = 1; t <= 200; ++t) {
      for (int i = 0; i < kCount; ++i) {
        g.data()[i] = normal(random);
        const auto k = static_cast<std::size_t>(i);
        const auto x = static_cast<double>(g.data()[i]);
        m[k] += (x - m[k]) * 0.1;
        v[k] += (x * x - v[k]) * 0.001;
        hat[k] = std::max(hat[k], v[k]);
        dw[k] -= 0.001 * std::sqrt(1 - std::pow(0.999, t)) / (1 - std::pow(0.9, t)) * m[k] / (std::sqrt(amsgrad ? hat[k] : v[k]) + 1e-7);
      }
      optimizer.step(w.span(), g.span());
    }
    for (int i = 0; i < kCount; ++i) EXPECT_NEAR(static_cast<double>(w.data()[i]), dw[static_cast<std::size_t>(i)], 1e-5);
  }
}

/// The step of plain SGD with rate 1 is the clipped gradient.
std::vector<float> clipped(OptimizerOptions options, std::vector<float> gradient, std::vector<VariableRange> variables) {
  const auto n = static_cast<std::int64_t>(gradient.size());
  Optimizer optimizer(Sgd{.learning_rate = 1, .options = options}, n, std::move(variables));
  std::vector<float> w(gradient.size());
  optimizer.step(w, gradient);
  for (float& x : w) x = -x;
  return w;
}

TEST(Clip, ByValue) { EXPECT_EQ(clipped({.clipvalue = 0.5F}, {1, -2, 0.25F}, {{0, 3}}), (std::vector<float>{0.5F, -0.5F, 0.25F})); }

TEST(Clip, ByNormOfEachVariable) {
  const std::vector<float> seen = clipped({.clipnorm = 1}, {3, 4, 0.3F, 0.4F}, {{0, 2}, {2, 2}});
  EXPECT_NEAR(seen[0], 0.6, 1e-6);
  EXPECT_NEAR(seen[1], 0.8, 1e-6);
  EXPECT_EQ(seen[2], 0.3F) << "a norm below the limit stays";
}

TEST(Clip, ByNormOfAllTogether) {
  const std::vector<float> seen = clipped({.global_clipnorm = 1}, {3, 4, 0, 12}, {{0, 2}, {2, 2}});
  EXPECT_NEAR(seen[0], 3.0 / 13, 1e-6);
  EXPECT_NEAR(seen[3], 12.0 / 13, 1e-6);
}

TEST(Clip, GlobalNormOfNanOrInfMakesAllNan) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), std::numeric_limits<float>::infinity()}) {
    for (const float x : clipped({.global_clipnorm = 1}, {1, bad, 2}, {{0, 3}})) EXPECT_TRUE(std::isnan(x));
  }
}

TEST(WeightDecay, ComesBeforeTheStepAndIsScaledByTheRate) {
  Optimizer optimizer(Sgd{.learning_rate = 0.5F, .options = {.weight_decay = 0.1F}}, 1, {{0, 1}});
  std::vector<float> w{2}, g{1};
  optimizer.step(w, g);
  EXPECT_NEAR(w[0], 2 * (1 - 0.05) - 0.5, 1e-6);
}

TEST(Optimizer, RefusesNonsense) {
  const auto make = [](const OptimizerSpec& spec) { return Optimizer(spec, 1, {}); };
  EXPECT_THROW(make(Sgd{.learning_rate = -1}), Error);
  EXPECT_THROW(make(Sgd{.momentum = 1.5F}), Error);
  EXPECT_THROW(make(Adam{.beta_1 = 1}), Error);
  EXPECT_THROW(make(Sgd{.options = {.clipnorm = 1, .clipvalue = 1}}), Error);
  EXPECT_THROW(make(Adam{.learning_rate = std::numeric_limits<float>::quiet_NaN()}), Error);
  EXPECT_THROW(optimizer_from_name("adagrad"), Error);
  EXPECT_EQ(class_name(optimizer_from_name("SGD")), "SGD");
}

}  // namespace
}  // namespace lockstep
