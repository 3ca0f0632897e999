#include "core/layers/pooling/pooling.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

#include "core/layers/pooling/global_pooling.h"
#include "core/network/network.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::numbers;

/// What a network of one layer makes of rows, and of gradients that come back.
struct Result {
  std::vector<float> y, dx;
};
Result run(Network& network, const std::vector<float>& x, std::vector<float> dy) {
  const Op& op = *network.ops()[0];
  const std::int64_t rows = static_cast<std::int64_t>(x.size()) / op.in;
  Result result{std::vector<float>(static_cast<std::size_t>(rows * op.out)), std::vector<float>(x.size(), 7)};
  network.prepare(rows, 1);
  op.forward(x.data(), result.y.data(), {.rows = rows, .training = true});
  op.backward(x.data(), result.y.data(), dy.data(), result.dx.data(), {.rows = rows, .training = true});
  return result;
}

struct Window {
  std::int64_t size, stride;
  Padding padding;
  std::int64_t out(std::int64_t in) const { return padding == Padding::same ? (in + stride - 1) / stride : (in - size) / stride + 1; }
  std::int64_t before(std::int64_t in) const {
    return padding == Padding::same ? std::max<std::int64_t>((out(in) - 1) * stride + size - in, 0) / 2 : 0;
  }
};

/// Pools channel by channel, window by window.
Result expected(bool max, const Window& window, const Shape& shape, const std::vector<float>& x, const std::vector<float>& dy) {
  const std::int64_t h = shape[0], w = shape[1], channels = shape[2], out_h = window.out(h), out_w = window.out(w),
                     rows = static_cast<std::int64_t>(x.size()) / (h * w * channels);
  Result result{std::vector<float>(dy.size()), std::vector<float>(x.size())};
  for (std::int64_t i = 0; i < rows * out_h * out_w * channels; ++i) {
    const std::int64_t c = i % channels, b = i / channels % out_w, a = i / channels / out_w % out_h, r = i / channels / out_w / out_h;
    std::vector<std::size_t> seen;
    for (std::int64_t k = 0; k < window.size * window.size; ++k) {
      const std::int64_t line = a * window.stride - window.before(h) + k / window.size,
                         column = b * window.stride - window.before(w) + k % window.size;
      if (line >= 0 && line < h && column >= 0 && column < w)
        seen.push_back(static_cast<std::size_t>(((r * h + line) * w + column) * channels + c));
    }
    float& y = result.y[static_cast<std::size_t>(i)];
    const float gradient = dy[static_cast<std::size_t>(i)];
    if (max) {
      const std::size_t best = *std::max_element(seen.begin(), seen.end(), [&](std::size_t p, std::size_t q) { return x[p] < x[q]; });
      y = x[best];
      result.dx[best] += gradient;
    } else {
      for (const std::size_t place : seen) {
        y += x[place] / static_cast<float>(seen.size());
        result.dx[place] += gradient / static_cast<float>(seen.size());
      }
    }
  }
  return result;
}

void expect_near(const std::vector<float>& found, const std::vector<float>& expected, const std::string& what) {
  ASSERT_EQ(found.size(), expected.size()) << what;
  for (std::size_t i = 0; i < found.size(); ++i) ASSERT_NEAR(found[i], expected[i], 1e-5) << what << " at " << i;
}

TEST(Pooling, OfAnyWindow) {
  for (const std::int64_t channels : {1, 3, 8, 17}) {
    const Shape shape = {7, 6, channels};
    for (const Window& window : std::vector<Window>{{2, 2, Padding::valid},
                                                    {2, 2, Padding::same},
                                                    {3, 1, Padding::valid},
                                                    {3, 2, Padding::same},
                                                    {3, 1, Padding::same},
                                                    {2, 3, Padding::valid},
                                                    {2, 3, Padding::same},
                                                    {1, 1, Padding::valid}}) {
      Network largest({MaxPooling2D{.pool_size = window.size, .padding = window.padding, .strides = window.stride}}, shape, 0),
          mean({AveragePooling2D{.pool_size = window.size, .padding = window.padding, .strides = window.stride}}, shape, 0);
      ASSERT_EQ(largest.output_shape(0), (Shape{window.out(7), window.out(6), channels}));
      std::vector<float> x = numbers(3 * elements(shape), 1);
      for (float& value : x) value = std::round(value * 4) / 4;  // so that some are equal
      const std::vector<float> dy = numbers(3 * largest.output_width(), 2);
      const std::string what = std::to_string(window.size) + " by " + std::to_string(window.stride);
      const Result max = run(largest, x, dy), max_expected = expected(true, window, shape, x, dy);
      EXPECT_EQ(max.y, max_expected.y) << what;
      expect_near(max.dx, max_expected.dx, what + ": gradient of max");
      const Result average = run(mean, x, dy), average_expected = expected(false, window, shape, x, dy);
      expect_near(average.y, average_expected.y, what + ": average");
      expect_near(average.dx, average_expected.dx, what + ": gradient of average");
    }
  }
}

TEST(Pooling, OfOneAxis) {
  Network largest({MaxPooling1D{}}, {5, 2}, 0), mean({AveragePooling1D{.pool_size = 3, .strides = 1}}, {5, 2}, 0);
  EXPECT_EQ(largest.output_shape(0), (Shape{2, 2}));
  const std::vector<float> x = {1, 10, 4, 20, 3, 60, 2, 40, 9, 90};
  const Result max = run(largest, x, {1, 2, 3, 4});
  EXPECT_EQ(max.y, (std::vector<float>{4, 20, 3, 60}));
  EXPECT_EQ(max.dx, (std::vector<float>{0, 0, 1, 2, 3, 4, 0, 0, 0, 0}));
  const Result average = run(mean, x, {3, 0, 3, 0, 3, 3});
  expect_near(average.y, {8.F / 3, 30, 3, 40, 14.F / 3, 190.F / 3}, "average");
  expect_near(average.dx, {1, 0, 2, 0, 3, 1, 2, 1, 1, 1}, "gradient of average");
}

TEST(Pooling, NanStaysNan) {
  const float nan = std::numeric_limits<float>::quiet_NaN();
  for (const std::vector<float>& x : {std::vector<float>{nan, 1, 2, 3}, {1, nan, 2, 3}, {1, 2, 3, nan}}) {
    Network largest({MaxPooling2D{}}, {2, 2, 1}, 0), global({GlobalMaxPooling2D{}}, {2, 2, 1}, 0);
    EXPECT_TRUE(std::isnan(run(largest, x, {1}).y[0]));
    EXPECT_TRUE(std::isnan(run(global, x, {1}).y[0]));
  }
}

TEST(Pooling, OverAllOfAnImage) {
  const std::vector<float> x = {1, -1, 5, -3, 5, -2, 1, -1};
  Network largest({GlobalMaxPooling2D{}}, {2, 2, 2}, 0), mean({GlobalAveragePooling2D{.keepdims = true}}, {2, 2, 2}, 0);
  EXPECT_EQ(largest.output_shape(0), (Shape{2}));
  EXPECT_EQ(mean.output_shape(0), (Shape{1, 1, 2}));
  const Result max = run(largest, x, {2, 4});
  EXPECT_EQ(max.y, (std::vector<float>{5, -1}));
  EXPECT_EQ(max.dx, (std::vector<float>{0, 2, 1, 0, 1, 0, 0, 2}));  // equal ones share
  const Result average = run(mean, x, {2, 4});
  EXPECT_EQ(average.y, (std::vector<float>{3, -1.75F}));
  EXPECT_EQ(average.dx, (std::vector<float>{0.5F, 1, 0.5F, 1, 0.5F, 1, 0.5F, 1}));
  Network steps({GlobalMaxPooling1D{.keepdims = true}}, {4, 2}, 0), steps_mean({GlobalAveragePooling1D{}}, {4, 2}, 0);
  EXPECT_EQ(steps.output_shape(0), (Shape{1, 2}));
  EXPECT_EQ(run(steps, x, {2, 4}).y, max.y);
  EXPECT_EQ(run(steps_mean, x, {2, 4}).y, average.y);
}

TEST(Pooling, GradientIsThatOfTheOutput) {
  for (const LayerSpec& pool :
       std::vector<LayerSpec>{MaxPooling2D{}, AveragePooling2D{.pool_size = 2, .padding = Padding::same, .strides = 1},
                              GlobalMaxPooling2D{}, GlobalAveragePooling2D{}}) {
    Network network({Conv2D{.filters = 3, .kernel_size = 2, .activation = tanh_}, pool, Flatten{}, Dense{2}}, {5, 6, 2}, 7);
    test::expect_numeric_gradient(network, 3, 1.F / 256);
  }
}

TEST(Pooling, WrongSettingsAreErrorsThatNameTheLayer) {
  const auto expect = [](const LayerSpec& layer, const Shape& input, const std::string& message) {
    testing::expect_error([&] { Network({layer}, input, 0); }, {message});
  };
  expect(MaxPooling2D{.name = "p"}, {28, 28}, "layer 'p' (MaxPooling2D): needs an input of shape (None, height, width, channels)");
  expect(MaxPooling2D{.name = "p"}, {1, 5, 3},
         "layer 'p' (MaxPooling2D): a window over 2 elements is longer than the 1 of its input (None, 1, 5, 3)");
  expect(AveragePooling1D{.pool_size = 2, .padding = Padding::causal, .name = "p"}, {5, 3},
         "layer 'p' (AveragePooling1D): padding: causal is for Conv1D alone");
  expect(AveragePooling2D{.pool_size = 0, .name = "p"}, {5, 5, 3},
         "layer 'p' (AveragePooling2D): pool_size is 0, it must be in [1, 2147483647]");
  expect(GlobalMaxPooling2D{.name = "p"}, {5, 3},
         "layer 'p' (GlobalMaxPooling2D): needs an input of shape (None, height, width, channels)");
}

}  // namespace
}  // namespace lockstep
