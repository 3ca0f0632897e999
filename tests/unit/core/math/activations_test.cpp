#include "core/math/activations.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "cluster/error.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

using Real = long double;

const std::vector<ActivationFunction> kAll = {linear,      relu,        softmax,        sigmoid,      tanh_,       elu,        selu,
                                              gelu,        silu,        softplus,       leaky_relu,   relu6,       celu,       log_sigmoid,
                                              log_softmax, exponential, softsign,       hard_sigmoid, hard_silu,   hard_tanh,  mish,
                                              squareplus,  sparse_plus, sparse_sigmoid, soft_shrink,  hard_shrink, tanh_shrink};

bool of_whole_rows(ActivationFunction function) { return function == softmax || function == log_softmax; }

testing::AssertionResult near(float found, Real expected, Real tolerance) {
  const Real error = std::abs(static_cast<Real>(found) - expected);
  if (error <= tolerance) return testing::AssertionSuccess();
  return testing::AssertionFailure() << "found " << found << ", expected " << expected << ", off by " << error;
}

// Keras' formulas as they stand in its documentation.
Real formula(ActivationFunction function, Real x) {
  switch (function) {
    case linear: return x;
    case relu: return x > 0 ? x : 0;
    case sigmoid: return 1 / (1 + std::exp(-x));
    case tanh_: return std::tanh(x);
    case elu: return x > 0 ? x : std::expm1(x);
    case selu: return 1.0507009873554804934193349852946L * (x > 0 ? x : 1.6732632423543772848170429916717L * std::expm1(x));
    case gelu: return 0.5L * x * std::erfc(-x / std::sqrt(2.0L));
    case silu: return x / (1 + std::exp(-x));
    case softplus: return x > 0 ? x + std::log1p(std::exp(-x)) : std::log1p(std::exp(x));
    case leaky_relu: return x > 0 ? x : 0.2L * x;
    case relu6: return std::min(std::max(x, 0.0L), 6.0L);
    case celu: return x > 0 ? x : std::expm1(x);
    case log_sigmoid: return -formula(softplus, -x);
    case exponential: return std::exp(x);
    case softsign: return x / (1 + std::abs(x));
    case hard_sigmoid: return std::min(std::max(x / 6 + 0.5L, 0.0L), 1.0L);
    case hard_silu: return x * formula(hard_sigmoid, x);
    case hard_tanh: return std::min(std::max(x, -1.0L), 1.0L);
    case mish: return x * std::tanh(formula(softplus, x));
    case squareplus: return (x < 0 ? 4 / (std::sqrt(x * x + 4) - x) : std::sqrt(x * x + 4) + x) / 2;
    case sparse_plus: return x <= -1 ? 0 : x >= 1 ? x : (x + 1) * (x + 1) / 4;
    case sparse_sigmoid: return x <= -1 ? 0 : x >= 1 ? 1 : (x + 1) / 2;
    case soft_shrink: return x > 0.5L ? x - 0.5L : x < -0.5L ? x + 0.5L : 0;
    case hard_shrink: return std::abs(x) > 0.5L ? x : 0;
    case tanh_shrink: return std::abs(x) < 1e-3L ? x * x * x * (1 - 0.4L * x * x) / 3 : x - std::tanh(x);
    default: return std::nanl("");
  }
}

std::vector<Real> softmax_formula(const std::vector<float>& x) {
  const Real top = *std::max_element(x.begin(), x.end());
  Real sum = 0;
  std::vector<Real> y;
  for (const float v : x) sum += std::exp(v - top);
  for (const float v : x) y.push_back(std::exp(v - top) / sum);
  return y;
}

TEST(Activations, ValuesFollowTheFormulas) {
  std::vector<float> x;
  for (int i = -4000; i <= 4000; ++i) x.push_back(static_cast<float>(i) * 0.0251F);
  for (int i = 1; i < 30; ++i) x.push_back(std::ldexp(i % 2 == 0 ? 1.3F : -1.3F, -i));
  const auto count = static_cast<std::int64_t>(x.size());
  for (const ActivationFunction function : kAll) {
    if (of_whole_rows(function)) continue;
    std::vector<float> y(x.size());
    activate(function, x.data(), y.data(), 1, count);
    std::vector<float> in_place = x;
    activate(function, in_place.data(), in_place.data(), count, 1);
    EXPECT_EQ(y, in_place) << name_of(function);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Real expected = formula(function, x[i]);
      if (expected > std::numeric_limits<float>::max()) continue;  // of the exponential
      ASSERT_TRUE(near(y[i], expected, 1.3e-7L * std::abs(expected) + 1e-38L)) << name_of(function) << " at " << x[i];
    }
  }
}

TEST(Activations, ExtremesStayFiniteAndNanStaysNan) {
  const std::vector<float> x = {-1e30F, -1e4F, -104, -88, 0, 88, 104, 1e4F, 1e30F};
  std::vector<float> y(x.size());
  for (const ActivationFunction function : kAll) {
    if (function == exponential) continue;
    activate(function, x.data(), y.data(), 1, static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) {
      EXPECT_TRUE(std::isfinite(y[i])) << name_of(function) << " at " << x[i];
      if (!of_whole_rows(function)) {
        EXPECT_TRUE(near(y[i], formula(function, x[i]), 1e-6L * std::abs(y[i]) + 1e-37L)) << name_of(function);
      }
    }
    const std::vector<float> dy(x.size(), 1.0F);
    std::vector<float> dx(x.size());
    activation_gradient(function, x.data(), y.data(), dy.data(), dx.data(), 1, static_cast<std::int64_t>(x.size()));
    for (std::size_t i = 0; i < x.size(); ++i) EXPECT_TRUE(std::isfinite(dx[i])) << name_of(function) << "' at " << x[i];
    const float nan = std::numeric_limits<float>::quiet_NaN();
    float result = 0;
    activate(function, &nan, &result, 1, 1);
    EXPECT_TRUE(std::isnan(result)) << name_of(function);
  }
}

TEST(Activations, ExponentialOverflowsToInfinity) {
  const std::vector<float> x = {-1e30F, 88, 89, 1e30F, std::numeric_limits<float>::quiet_NaN()};
  std::vector<float> y(x.size());
  activate(exponential, x.data(), y.data(), 1, 5);
  EXPECT_EQ(y[0], 0);
  EXPECT_FLOAT_EQ(y[1], std::exp(88.0F));
  EXPECT_EQ(y[2], std::numeric_limits<float>::infinity());
  EXPECT_EQ(y[3], std::numeric_limits<float>::infinity());
  EXPECT_TRUE(std::isnan(y[4]));
}

TEST(Activations, ClosedFormGradientsAgreeWithNumericOnes) {
  std::vector<float> x;
  for (int i = -60; i <= 60; ++i) x.push_back(static_cast<float>(i) * 0.13F + 0.031F);
  const auto count = static_cast<std::int64_t>(x.size());
  for (const ActivationFunction function : kAll) {
    if (of_whole_rows(function)) continue;
    std::vector<float> y(x.size()), dy(x.size()), dx(x.size());
    activate(function, x.data(), y.data(), 1, count);
    for (std::size_t i = 0; i < x.size(); ++i) dy[i] = 0.5F - 0.01F * static_cast<float>(i);
    // Where the derivative comes from the output, the pre-activation must not be read.
    activation_gradient(function, derivative_from_output(function) ? nullptr : x.data(), y.data(), dy.data(), dx.data(), 1, count);
    for (std::size_t i = 0; i < x.size(); ++i) {
      const Real h = 1e-5L;
      const Real slope = (formula(function, x[i] + h) - formula(function, x[i] - h)) / (2 * h);
      ASSERT_TRUE(near(dx[i], dy[i] * slope, 3e-7L * std::max(1.0L, std::abs(slope)))) << name_of(function) << " at " << x[i];
    }
    activation_gradient(function, x.data(), y.data(), dy.data(), dy.data(), 1, count);
    EXPECT_EQ(dx, dy) << name_of(function) << " in place";
  }
}

TEST(Activations, SoftmaxAndItsGradient) {
  for (const std::int64_t width : {1, 2, 3, 10, 33}) {
    std::vector<float> x, y(static_cast<std::size_t>(4 * width)), dy(y.size()), dx(y.size());
    for (std::int64_t i = 0; i < 4 * width; ++i) x.push_back(3 * std::sin(static_cast<float>(7 * i + width)));
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = std::cos(static_cast<float>(3 * i));
    activate(softmax, x.data(), y.data(), 4, width);
    activation_gradient(softmax, nullptr, y.data(), dy.data(), dx.data(), 4, width);
    for (std::int64_t r = 0; r < 4; ++r) {
      const std::vector<float> row(x.begin() + r * width, x.begin() + (r + 1) * width);
      const std::vector<Real> expected = softmax_formula(row);
      Real dot = 0;
      for (std::int64_t k = 0; k < width; ++k) dot += expected[static_cast<std::size_t>(k)] * dy[static_cast<std::size_t>(r * width + k)];
      for (std::int64_t k = 0; k < width; ++k) {
        const auto at = static_cast<std::size_t>(r * width + k);
        const Real p = expected[static_cast<std::size_t>(k)];
        EXPECT_TRUE(near(y[at], p, 2e-7L * p));
        EXPECT_TRUE(near(dx[at], p * (dy[at] - dot), 2e-7L));
      }
    }
    std::vector<float> in_place = x;
    activate(softmax, in_place.data(), in_place.data(), 4, width);
    EXPECT_EQ(in_place, y);
  }
}

TEST(Activations, LogSoftmaxAndItsGradient) {
  for (const std::int64_t width : {1, 3, 33}) {
    std::vector<float> x, y(static_cast<std::size_t>(2 * width)), dy(y.size()), dx(y.size());
    for (std::int64_t i = 0; i < 2 * width; ++i) x.push_back(30 * std::sin(static_cast<float>(7 * i + width)));
    for (std::size_t i = 0; i < dy.size(); ++i) dy[i] = std::cos(static_cast<float>(3 * i));
    activate(log_softmax, x.data(), y.data(), 2, width);
    activation_gradient(log_softmax, nullptr, y.data(), dy.data(), dx.data(), 2, width);
    for (std::int64_t r = 0; r < 2; ++r) {
      const std::vector<Real> p = softmax_formula({x.begin() + r * width, x.begin() + (r + 1) * width});
      Real total = 0;
      for (std::int64_t k = 0; k < width; ++k) total += dy[static_cast<std::size_t>(r * width + k)];
      for (std::int64_t k = 0; k < width; ++k) {
        const auto at = static_cast<std::size_t>(r * width + k);
        const Real one = p[static_cast<std::size_t>(k)];
        EXPECT_TRUE(near(y[at], std::log(one), 1e-7L * std::max(1.0L, std::abs(std::log(one)))));
        EXPECT_TRUE(near(dx[at], dy[at] - one * total, 4e-6L));  // e^y has the error of y, up to 30
      }
    }
    activate(log_softmax, x.data(), x.data(), 2, width);
    EXPECT_EQ(x, y) << "in place";
  }
}

TEST(Activations, SoftmaxOfSaturatedRows) {
  const std::vector<float> x = {1000, 0, -1000, 3e38F, -3e38F, 0, -200, -200, -200};
  std::vector<float> y(9);
  std::vector<double> log_sum(3);
  softmax_rows(x.data(), y.data(), 3, 3, log_sum.data());
  const std::vector<float> expected = {1, 0, 0, 1, 0, 0, 1.0F / 3, 1.0F / 3, 1.0F / 3};
  for (std::size_t i = 0; i < y.size(); ++i) EXPECT_FLOAT_EQ(y[i], expected[i]);
  EXPECT_DOUBLE_EQ(log_sum[1], 0);
  EXPECT_DOUBLE_EQ(log_sum[2], std::log(3.0));
  const std::vector<float> steep = {-30, 10, -35};  // log(1 + e^-40 + e^-45) is far below the resolution of 1
  softmax_rows(steep.data(), y.data(), 1, 3, log_sum.data());
  EXPECT_NEAR(log_sum[0] / (std::exp(-40.0) + std::exp(-45.0)), 1, 1e-7);
}

TEST(Activations, NamesAndAliases) {
  for (const ActivationFunction function : kAll) EXPECT_EQ(activation_from_name(name_of(function)), function);
  EXPECT_EQ(name_of(leaky_relu), "leaky_relu");
  EXPECT_EQ(name_of(activation_from_name("swish")), "silu");
  EXPECT_EQ(name_of(activation_from_name("hard_swish")), "hard_silu");
  try {
    activation_from_name("rleu");
    FAIL();
  } catch (const Error& error) {
    EXPECT_EQ(error.exit_code(), kUsage);
    EXPECT_NE(std::string(error.what()).find("'rleu'"), std::string::npos);
    EXPECT_NE(std::string(error.what()).find("softplus"), std::string::npos);
  }
}

}  // namespace
}  // namespace lockstep
