#include "core/compile/initializers.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <vector>

#include "cluster/error.h"

namespace lockstep {
namespace {

std::vector<float> drawn(Initializer initializer, const Shape& shape, std::uint64_t seed = 7, std::uint32_t id = 3) {
  std::vector<float> values(static_cast<std::size_t>(elements(shape)), -99);
  initialize(initializer, shape, seed, id, values);
  return values;
}

struct Moments {
  double mean = 0, variance = 0, fourth = 0, largest = 0, neighbours = 0;
};

Moments moments(const std::vector<float>& values) {
  Moments m;
  const auto count = static_cast<double>(values.size());
  for (const float v : values) m.mean += static_cast<double>(v) / count;
  double before = 0;
  for (const float v : values) {
    const double d = static_cast<double>(v) - m.mean;
    m.variance += d * d / count;
    m.fourth += d * d * d * d / count;
    m.neighbours += d * before / count;
    m.largest = std::max(m.largest, static_cast<double>(std::abs(v)));
    before = d;
  }
  return m;
}

struct Case {
  Initializer initializer;
  Shape shape;
  double variance;  // scale / fan
  bool uniform;
};

TEST(Initializers, MomentsAndBounds) {
  using enum Initializer;
  const std::vector<Case> cases = {
      {glorot_uniform, {784, 300}, 2.0 / 1084, true}, {glorot_normal, {784, 300}, 2.0 / 1084, false},
      {he_uniform, {500, 400}, 2.0 / 500, true},      {he_normal, {500, 400}, 2.0 / 500, false},
      {lecun_uniform, {300, 700}, 1.0 / 300, true},   {lecun_normal, {300, 700}, 1.0 / 300, false},
      {he_normal, {200'000}, 2.0 / 200'000, false},   {glorot_uniform, {3, 3, 100, 200}, 2.0 / (900 + 1800), true}};
  for (const Case& one : cases) {
    SCOPED_TRACE(std::string(name_of(one.initializer)) + " " + to_string(one.shape));
    const std::vector<float> values = drawn(one.initializer, one.shape);
    const Moments m = moments(values);
    const double sigma = std::sqrt(one.variance);
    const double bound = one.uniform ? std::sqrt(3.0) * sigma : 2 * sigma / 0.87962566103423978;
    const auto count = static_cast<double>(values.size());
    for (const float v : values) ASSERT_TRUE(std::isfinite(v));
    EXPECT_LE(m.largest, bound * (1 + 1e-7));
    EXPECT_GT(m.largest, bound * 0.999);
    EXPECT_NEAR(m.mean, 0, 5 * sigma / std::sqrt(count));
    EXPECT_NEAR(m.variance / one.variance, 1, 0.01);
    // Fourth moment over squared variance: 9/5 for a uniform, 2.3655 for a normal cut at two standard deviations.
    EXPECT_NEAR(m.fourth / (m.variance * m.variance), one.uniform ? 1.8 : 2.3655, 0.02);
    EXPECT_NEAR(m.neighbours / m.variance, 0, 5 / std::sqrt(count));
  }
}

TEST(Initializers, Constants) {
  EXPECT_EQ(drawn(Initializer::zeros, {3, 2}), std::vector<float>(6, 0));
  EXPECT_EQ(drawn(Initializer::ones, {3, 2}), std::vector<float>(6, 1));
  EXPECT_EQ(drawn(Initializer::zeros, {}).size(), 1U);
  EXPECT_TRUE(drawn(Initializer::he_normal, {0, 4}).empty());
}

TEST(Initializers, AFunctionOfSeedIdAndIndexAlone) {
  for (const Initializer initializer : {Initializer::glorot_uniform, Initializer::he_normal}) {
    const std::vector<float> values = drawn(initializer, {30, 20});
    EXPECT_EQ(drawn(initializer, {30, 20}), values);
    EXPECT_NE(drawn(initializer, {30, 20}, 8), values);
    EXPECT_NE(drawn(initializer, {30, 20}, 7, 4), values);
    // The same fan and fewer elements: the same beginning. (A vector's fan is its length, so the scale is undone.)
    const std::vector<float> row = drawn(initializer, {20});
    const double scale = initializer == Initializer::glorot_uniform ? std::sqrt(50.0 / 40) : std::sqrt(30.0 / 20);
    for (std::size_t i = 0; i < row.size(); ++i) {
      EXPECT_NEAR(static_cast<double>(row[i]), static_cast<double>(values[i]) * scale, 1e-6) << i;
    }
  }
}

TEST(Initializers, NamesAndErrors) {
  using enum Initializer;
  for (const Initializer one : {glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, zeros, ones}) {
    EXPECT_EQ(initializer_from_name(name_of(one)), one);
  }
  EXPECT_EQ(initializer_from_name("GlorotUniform"), glorot_uniform);
  EXPECT_EQ(initializer_from_name("Zeros"), zeros);
  EXPECT_THROW(initializer_from_name("glorot"), Error);
  std::vector<float> five(5);
  EXPECT_THROW(initialize(ones, {2, 3}, 0, 0, five), Error);
}

}  // namespace
}  // namespace lockstep
