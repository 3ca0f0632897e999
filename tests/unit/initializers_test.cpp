#include "core/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "cluster/error.h"

namespace lockstep {
namespace {

struct Moments {
  double mean = 0, variance = 0, largest = 0;
};

Moments moments(Initializer initializer, const Shape& shape) {
  std::vector<float> values(static_cast<std::size_t>(elements(shape)));
  initialize(initializer, shape, 42, 3, values);
  Moments m;
  for (const float v : values) {
    m.mean += static_cast<double>(v);
    m.largest = std::max(m.largest, std::abs(static_cast<double>(v)));
  }
  m.mean /= static_cast<double>(values.size());
  for (const float v : values) m.variance += (static_cast<double>(v) - m.mean) * (static_cast<double>(v) - m.mean);
  m.variance /= static_cast<double>(values.size());
  return m;
}

struct Case {
  Initializer initializer;
  double variance, limit;  // of a (300, 500) kernel; limit: no value beyond
};

class InitializerTest : public testing::TestWithParam<Case> {};

TEST_P(InitializerTest, HasKerasVarianceAndBounds) {
  const Moments m = moments(GetParam().initializer, {300, 500});
  // 150,000 values: the mean's standard error is sqrt(variance / 150000), the variance's about 0.4 %.
  EXPECT_NEAR(m.mean, 0, 5 * std::sqrt(GetParam().variance / 150000));
  EXPECT_NEAR(m.variance, GetParam().variance, 0.02 * GetParam().variance);
  EXPECT_LE(m.largest, GetParam().limit * 1.000001);
  EXPECT_GE(m.largest, GetParam().limit * 0.99);
}

constexpr double kCut = 0.87962566103423978;
INSTANTIATE_TEST_SUITE_P(All, InitializerTest,
                         testing::Values(Case{Initializer::glorot_uniform, 2.0 / 800, std::sqrt(6.0 / 800)},
                                         Case{Initializer::he_uniform, 2.0 / 300, std::sqrt(6.0 / 300)},
                                         Case{Initializer::lecun_uniform, 1.0 / 300, std::sqrt(3.0 / 300)},
                                         Case{Initializer::glorot_normal, 2.0 / 800, 2 * std::sqrt(2.0 / 800) / kCut},
                                         Case{Initializer::he_normal, 2.0 / 300, 2 * std::sqrt(2.0 / 300) / kCut},
                                         Case{Initializer::lecun_normal, 1.0 / 300, 2 * std::sqrt(1.0 / 300) / kCut}));

TEST(Initializer, ConstantsAreConstant) {
  std::vector<float> values(5, 7.F);
  initialize(Initializer::zeros, {5}, 0, 0, values);
  EXPECT_EQ(values, std::vector<float>(5, 0.F));
  initialize(Initializer::ones, {5}, 0, 0, values);
  EXPECT_EQ(values, std::vector<float>(5, 1.F));
}

TEST(Initializer, ValuesDependOnSeedAndIdAlone) {
  const auto values = [](std::uint64_t seed, std::uint32_t id) {
    std::vector<float> v(20);
    initialize(Initializer::he_normal, {4, 5}, seed, id, v);
    return v;
  };
  EXPECT_EQ(values(1, 2), values(1, 2));
  EXPECT_NE(values(1, 2), values(1, 3));
  EXPECT_NE(values(1, 2), values(2, 2));
}

TEST(Initializer, NamesRoundTripAndUnknownOnesAreTold) {
  for (const char* name : {"glorot_uniform", "glorot_normal", "he_uniform", "he_normal", "lecun_uniform", "lecun_normal", "zeros", "ones"}) {
    EXPECT_EQ(name_of(initializer_from_name(name)), name);
  }
  EXPECT_THROW(initializer_from_name("xavier"), Error);
}

}  // namespace
}  // namespace lockstep
