#include "core/compile/constraints.h"

#include <gtest/gtest.h>

#include <cmath>

#include "core/network/network.h"
#include "support/throws.h"

namespace lockstep {
namespace {

std::vector<float> constrained(const Constraint& constraint, const Shape& shape, std::vector<float> w) {
  WeightConstraint(constraint, shape).apply(w.data());
  return w;
}

void expect_near(const std::vector<float>& found, const std::vector<float>& expected) {
  ASSERT_EQ(found.size(), expected.size());
  for (std::size_t i = 0; i < found.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-6F) << i;
}

// Columns (3, 4) and (0.3, 0.4): lengths 5 and 0.5.
const std::vector<float> kMatrix = {3, 0.3F, 4, 0.4F};

TEST(Constraints, MaxNormShortensWhatIsLonger) {
  expect_near(constrained(MaxNorm{}, {2, 2}, kMatrix), {1.2F, 0.3F, 1.6F, 0.4F});
  expect_near(constrained(MaxNorm{.max_value = 1, .axis = {1}}, {2, 2}, {3, 4, 0.3F, 0.4F}), {0.6F, 0.8F, 0.3F, 0.4F});
  EXPECT_EQ(constrained(MaxNorm{.max_value = 5}, {2, 2}, kMatrix), kMatrix);
}

TEST(Constraints, UnitNormMakesLengthsOne) {
  expect_near(constrained(UnitNorm{}, {2, 2}, kMatrix), {0.6F, 0.6F, 0.8F, 0.8F});
  expect_near(constrained(UnitNorm{.axis = {0, 1}}, {2, 2}, {1, 1, 1, 1}), {0.5F, 0.5F, 0.5F, 0.5F});
  expect_near(constrained(UnitNorm{.axis = {-1}}, {2}, {3, 4}), {0.6F, 0.8F});
  expect_near(constrained(UnitNorm{}, {2, 1}, {0, 0}), {0, 0});
}

TEST(Constraints, NonNegClearsWhatIsNegative) {
  EXPECT_EQ(constrained(NonNeg{}, {2, 2}, {-1, 2, 0, -0.5F}), (std::vector<float>{0, 2, 0, 0}));
  EXPECT_TRUE(std::isnan(constrained(NonNeg{}, {1}, {std::nanf("")})[0]));
}

TEST(Constraints, MinMaxNormGoesPartOfTheWay) {
  expect_near(constrained(MinMaxNorm{.min_value = 1, .max_value = 2}, {2, 2}, kMatrix), {1.2F, 0.6F, 1.6F, 0.8F});
  // lengths 5 -> 0.5 * 2 + 0.5 * 5 = 3.5 and 0.5 -> 0.75
  expect_near(constrained(MinMaxNorm{.min_value = 1, .max_value = 2, .rate = 0.5F}, {2, 2}, kMatrix), {2.1F, 0.45F, 2.8F, 0.6F});
}

TEST(Constraints, NormsOverAnyAxesOfAKernelOfAConvolution) {
  const Shape shape = {2, 3, 2, 2};
  std::vector<float> w(24);
  for (std::size_t i = 0; i < w.size(); ++i) w[i] = std::sin(static_cast<float>(i * i + 1));
  for (const std::vector<std::int64_t>& axes : std::vector<std::vector<std::int64_t>>{{0, 1, 2}, {0, 2}, {1}, {3}, {1, 3}, {0, 1, 2, 3}}) {
    const std::vector<float> found = constrained(UnitNorm{axes}, shape, w);
    for (std::size_t i = 0; i < w.size(); ++i) {
      const auto at = [](std::size_t n) { return std::array<std::size_t, 4>{n / 12, n / 4 % 3, n / 2 % 2, n % 2}; };
      double squares = 0;
      for (std::size_t j = 0; j < w.size(); ++j) {
        bool same = true;
        for (std::size_t axis = 0; axis < 4; ++axis) {
          const bool summed = std::find(axes.begin(), axes.end(), static_cast<std::int64_t>(axis)) != axes.end();
          same = same && (summed || at(i)[axis] == at(j)[axis]);
        }
        if (same) squares += static_cast<double>(w[j]) * static_cast<double>(w[j]);
      }
      EXPECT_NEAR(found[i], static_cast<double>(w[i]) / std::sqrt(squares), 1e-6) << to_string(axes) << " " << i;
    }
  }
}

TEST(Constraints, AnAxisThatIsNotThereIsAnErrorThatNamesTheWeight) {
  testing::expect_error([] { Network({Dense{.units = 2, .kernel_constraint = MaxNorm{.axis = {2}}, .name = "d"}}, {3}, 0); },
                        {"layer 'd', weight 'kernel': constraint MaxNorm: axis 2 is not an axis of a weight of shape (3, 2)"});
  testing::expect_error([] { Network({Dense{.units = 2, .bias_constraint = MaxNorm{.max_value = -1}, .name = "d"}}, {3}, 0); },
                        {"layer 'd' (Dense), bias_constraint: max_value is -1, it must be at least 0"});
}

}  // namespace
}  // namespace lockstep
