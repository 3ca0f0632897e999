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
  const std::vector<Case> cases = {
      {GlorotUniform{}, {784, 300}, 2.0 / 1084, true},
      {GlorotNormal{}, {784, 300}, 2.0 / 1084, false},
      {HeUniform{}, {500, 400}, 2.0 / 500, true},
      {HeNormal{}, {500, 400}, 2.0 / 500, false},
      {LecunUniform{}, {300, 700}, 1.0 / 300, true},
      {LecunNormal{}, {300, 700}, 1.0 / 300, false},
      {HeNormal{}, {200'000}, 2.0 / 200'000, false},
      {GlorotUniform{}, {3, 3, 100, 200}, 2.0 / (900 + 1800), true},
      {VarianceScaling{.scale = 3, .mode = FanMode::fan_out, .distribution = Distribution::uniform}, {300, 700}, 3.0 / 700, true},
      {VarianceScaling{.scale = 0.5F, .mode = FanMode::fan_avg}, {300, 700}, 0.5 / 500, false},
      {TruncatedNormal{.stddev = 0.5F}, {300, 700}, 0.25 * 0.87962566103423978 * 0.87962566103423978, false},
      {RandomUniform{.minval = -2, .maxval = 2}, {300, 700}, 4.0 / 3, true}};
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

TEST(Initializers, NormalNumbersAreNotCut) {
  for (const Initializer& one : {Initializer(RandomNormal{.mean = 3, .stddev = 2}),
                                 Initializer(VarianceScaling{.scale = 1200, .distribution = Distribution::untruncated_normal})}) {
    const std::vector<float> values = drawn(one, {300, 700});
    const Moments m = moments(values);
    EXPECT_NEAR(m.mean, name_of(one) == "random_normal" ? 3 : 0, 0.02);
    EXPECT_NEAR(m.variance, 4, 0.05);
    EXPECT_NEAR(m.fourth / (m.variance * m.variance), 3, 0.05);
    EXPECT_NEAR(m.neighbours / m.variance, 0, 0.01);
    EXPECT_GT(m.largest, 8);
  }
}

TEST(Initializers, UniformNumbersLieBetweenTheirLimits) {
  const std::vector<float> values = drawn(RandomUniform{.minval = 1, .maxval = 4}, {100, 100});
  const auto [least, most] = std::minmax_element(values.begin(), values.end());
  EXPECT_GE(*least, 1);
  EXPECT_LT(*least, 1.01F);
  EXPECT_LE(*most, 4);
  EXPECT_GT(*most, 3.99F);
}

/// (rows, columns): the products of columns are gain^2 or 0.
void expect_orthonormal(const std::vector<float>& values, std::size_t rows, std::size_t columns, double square, bool of_rows) {
  const std::size_t vectors = of_rows ? rows : columns, length = of_rows ? columns : rows;
  for (std::size_t a = 0; a < vectors; ++a) {
    for (std::size_t b = 0; b < vectors; ++b) {
      double product = 0;
      for (std::size_t i = 0; i < length; ++i) {
        const std::size_t left = of_rows ? a * columns + i : i * columns + a, right = of_rows ? b * columns + i : i * columns + b;
        product += static_cast<double>(values[left]) * static_cast<double>(values[right]);
      }
      ASSERT_NEAR(product, a == b ? square : 0, 1e-5) << a << " " << b;
    }
  }
}

TEST(Initializers, OrthogonalColumnsOrRows) {
  expect_orthonormal(drawn(Orthogonal{}, {60, 40}), 60, 40, 1, false);
  expect_orthonormal(drawn(Orthogonal{.gain = 2}, {40, 60}), 40, 60, 4, true);
  expect_orthonormal(drawn(Orthogonal{}, {3, 3, 5, 7}), 45, 7, 1, false);
  expect_orthonormal(drawn(Orthogonal{}, {130, 130}), 130, 130, 1, false);  // several blocks of columns, the last one not whole
  expect_orthonormal(drawn(Orthogonal{}, {70, 200}), 70, 200, 1, true);
  EXPECT_NE(drawn(Orthogonal{}, {4, 4}, 1), drawn(Orthogonal{}, {4, 4}, 2));
}

TEST(Initializers, TheIdentity) {
  EXPECT_EQ(drawn(Identity{}, {2, 3}), (std::vector<float>{1, 0, 0, 0, 1, 0}));
  EXPECT_EQ(drawn(Identity{.gain = 3}, {3, 2}), (std::vector<float>{3, 0, 0, 3, 0, 0}));
  EXPECT_THROW(drawn(Identity{}, {3}), Error);
  EXPECT_THROW(drawn(Orthogonal{}, {3}), Error);
}

TEST(Initializers, WithASeedOfTheirOwnNothingElseCounts) {
  EXPECT_EQ(drawn(HeNormal{.seed = 5}, {4, 3}, 7, 3), drawn(HeNormal{.seed = 5}, {4, 3}, 8, 4));
  EXPECT_NE(drawn(HeNormal{.seed = 5}, {4, 3}), drawn(HeNormal{.seed = 6}, {4, 3}));
  EXPECT_NE(drawn(HeNormal{.seed = 7}, {4, 3}, 7, 3), drawn(HeNormal{}, {4, 3}, 7, 3));
}

/// Weights of models that were saved by their seed.
TEST(Initializers, KeepTheirBits) {
  EXPECT_EQ(drawn(Initializer::glorot_uniform, {2, 2}, 7, 3),
            (std::vector<float>{0x1.88006cp-1F, 0x1.30818cp+0F, 0x1.729224p-1F, -0x1.254eep+0F}));
  EXPECT_EQ(drawn(Initializer::he_normal, {2, 2}, 7, 3),
            (std::vector<float>{0x1.757cf6p-1F, -0x1.1b5832p+0F, -0x1.f05992p-2F, -0x1.e3efdap-1F}));
}

TEST(Initializers, Constants) {
  EXPECT_EQ(drawn(Constant{.value = 2.5F}, {3}), std::vector<float>(3, 2.5F));

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
  for_each_alternative<Initializer::Kinds>([](const auto& one) { EXPECT_EQ(initializer_from_name(name_of(one)), Initializer(one)); });
  EXPECT_EQ(initializer_from_name("GlorotUniform"), Initializer::glorot_uniform);
  EXPECT_EQ(initializer_from_name("Zeros"), Initializer::zeros);
  EXPECT_EQ(initializer_from_name("uniform"), Initializer(RandomUniform{}));
  EXPECT_THROW(initializer_from_name("glorot"), Error);
  std::vector<float> five(5);
  EXPECT_THROW(initialize(Initializer::ones, {2, 3}, 0, 0, five), Error);
}

}  // namespace
}  // namespace lockstep
