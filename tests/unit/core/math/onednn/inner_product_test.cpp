#include "core/math/onednn/inner_product.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <tuple>
#include <vector>

namespace lockstep {
namespace {

std::vector<float> numbers(std::int64_t count, float phase) {
  std::vector<float> values;
  for (std::int64_t i = 0; i < count; ++i) values.push_back(std::sin(phase + static_cast<float>(i * i % 1009)));
  return values;
}

using Shape = std::tuple<std::int64_t, std::int64_t>;
class InnerProducts : public testing::TestWithParam<Shape> {};

constexpr std::int64_t kMost = 300;

// Sums in double, by hand.
TEST_P(InnerProducts, AreThoseOfTheFormula) {
  const auto [in, out] = GetParam();
  const std::int64_t rows = 19;
  InnerProduct product({in, out, true});
  product.prepare(rows, 1);
  const std::vector<float> x = numbers(rows * in, 1), w = numbers(in * out, 2), b = numbers(out, 3), dy = numbers(rows * out, 4);
  std::vector<float> y(static_cast<std::size_t>(rows * out)), dx(static_cast<std::size_t>(rows * in));
  product.forward(x.data(), w.data(), b.data(), y.data(), rows, 0);
  product.backward_data(dy.data(), w.data(), dx.data(), rows, 0);
  const auto at = [](const std::vector<float>& m, std::int64_t row, std::int64_t width, std::int64_t column) {
    return static_cast<double>(m[static_cast<std::size_t>(row * width + column)]);
  };
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t o = 0; o < out; ++o) {
      double sum = at(b, 0, out, o);
      for (std::int64_t i = 0; i < in; ++i) sum += at(x, r, in, i) * at(w, i, out, o);
      ASSERT_NEAR(at(y, r, out, o), sum, 1e-4) << r << ", " << o;
    }
    for (std::int64_t i = 0; i < in; ++i) {
      double sum = 0;
      for (std::int64_t o = 0; o < out; ++o) sum += at(dy, r, out, o) * at(w, i, out, o);
      ASSERT_NEAR(at(dx, r, in, i), sum, 1e-4) << r << ", " << i;
    }
  }
}

// A row's bits do not depend on the call that it is in, on its place there, or on the thread.
TEST_P(InnerProducts, GiveARowTheSameBitsInAnyCall) {
  const auto [in, out] = GetParam();
  InnerProduct product({in, out, false});
  ASSERT_TRUE(product.keeps_bits());
  product.prepare(kMost, 2);
  const std::vector<float> x = numbers(kMost * in, 1), w = numbers(in * out, 2), dy = numbers(kMost * out, 4);
  std::vector<float> y(static_cast<std::size_t>(kMost * out)), dx(static_cast<std::size_t>(kMost * in));
  product.forward(x.data(), w.data(), nullptr, y.data(), kMost, 0);
  product.backward_data(dy.data(), w.data(), dx.data(), kMost, 0);
  for (const auto& [first, rows] : std::vector<std::pair<std::int64_t, std::int64_t>>{
           {0, 1}, {7, 1}, {299, 1}, {3, 5}, {0, 16}, {9, 16}, {1, 31}, {100, 33}, {5, 100}, {17, 256}, {44, 256}, {1, 299}}) {
    std::vector<float> some_y(static_cast<std::size_t>(rows * out)), some_dx(static_cast<std::size_t>(rows * in));
    product.forward(x.data() + first * in, w.data(), nullptr, some_y.data(), rows, 1);
    product.backward_data(dy.data() + first * out, w.data(), some_dx.data(), rows, 1);
    EXPECT_TRUE(std::equal(some_y.begin(), some_y.end(), y.begin() + first * out)) << rows << " rows from " << first;
    EXPECT_TRUE(std::equal(some_dx.begin(), some_dx.end(), dx.begin() + first * in)) << rows << " rows from " << first;
  }
}

INSTANTIATE_TEST_SUITE_P(Shapes, InnerProducts,
                         testing::Values(Shape{784, 300}, Shape{300, 100}, Shape{100, 10}, Shape{1, 1}, Shape{7, 3}, Shape{65, 129}));

}  // namespace
}  // namespace lockstep
