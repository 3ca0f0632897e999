#include "core/layers/regularization/gaussian.h"

#include <gtest/gtest.h>

#include <cmath>

#include "support/layers/layer_output.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::expect_numeric_gradient;
using test::layer_output;
using Values = std::vector<float>;

const Block kTraining = {.step = 3, .training = true};

struct Statistics {
  double mean = 0, deviation = 0, fourth = 0;  ///< fourth: the mean of the fourth powers, of standardised values
};

Statistics statistics(const Values& values) {
  Statistics s;
  const auto count = static_cast<double>(values.size());
  for (const float v : values) s.mean += v / count;
  for (const float v : values) s.deviation += (v - s.mean) * (v - s.mean) / count;
  s.deviation = std::sqrt(s.deviation);
  for (const float v : values) s.fourth += std::pow((v - s.mean) / s.deviation, 4) / count;
  return s;
}

TEST(Gaussian, NoiseIsNormal) {
  const Statistics s = statistics(layer_output(GaussianNoise{0.5F}, {101}, Values(400 * 101, 2), kTraining));
  EXPECT_NEAR(s.mean, 2, 0.01);
  EXPECT_NEAR(s.deviation, 0.5, 0.01);
  EXPECT_NEAR(s.fourth, 3, 0.1);
}

TEST(Gaussian, DropoutMultipliesByNormalNumbers) {
  const Statistics s = statistics(layer_output(GaussianDropout{0.2F}, {101}, Values(400 * 101, 2), kTraining));
  EXPECT_NEAR(s.mean, 2, 0.02);
  EXPECT_NEAR(s.deviation, 1, 0.02);  // 2 sqrt(0.2 / 0.8)
  EXPECT_NEAR(s.fourth, 3, 0.1);
}

TEST(Gaussian, IsTheIdentityOutsideTraining) {
  const Values x = test::numbers(30, 1);
  EXPECT_EQ(layer_output(GaussianNoise{0.5F}, {10}, x), x);
  EXPECT_EQ(layer_output(GaussianDropout{0.5F}, {10}, x), x);
  EXPECT_EQ(layer_output(GaussianNoise{0}, {10}, x, kTraining), x);
  EXPECT_EQ(layer_output(GaussianDropout{0}, {10}, x, kTraining), x);
}

TEST(Gaussian, IsAFunctionOfTheSlot) {
  const Values all = layer_output(GaussianNoise{0.5F}, {7}, Values(70), kTraining);
  Block later = kTraining;
  later.first_slot = 8;
  EXPECT_EQ(layer_output(GaussianNoise{0.5F}, {7}, Values(14), later), Values(all.begin() + 56, all.end()));
  later.step = 2;
  EXPECT_NE(layer_output(GaussianNoise{0.5F}, {7}, Values(14), later), Values(all.begin() + 56, all.end()));
}

TEST(Gaussian, GradientsAreThoseOfTheOutput) {
  for (const LayerSpec& layer : std::vector<LayerSpec>{GaussianNoise{0.5F}, GaussianDropout{0.5F}}) {
    Network network({Dense{5}, layer, Dense{2, tanh_}}, {3}, 7);
    expect_numeric_gradient(network, 4);
  }
}

TEST(Gaussian, WrongSettingsAreErrorsThatNameTheLayer) {
  testing::expect_error([] { Network({GaussianNoise{.stddev = 2, .name = "g"}}, {2}, 0); },
                        {"layer 'g' (GaussianNoise): stddev is 2, it must be in [0, 1]"});
  testing::expect_error([] { Network({GaussianDropout{.rate = 1, .name = "g"}}, {2}, 0); },
                        {"layer 'g' (GaussianDropout): rate is 1, it must be in [0, 1)"});
}

}  // namespace
}  // namespace lockstep
