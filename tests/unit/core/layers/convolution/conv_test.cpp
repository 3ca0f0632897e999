// Convolutions against sums that are written out here. tests/CMakeLists.txt runs them for each instruction set that oneDNN can be told.
#include "core/layers/convolution/conv.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <functional>

#include "core/layers/convolution/conv_transpose.h"
#include "core/layers/convolution/depthwise_conv.h"
#include "core/layers/convolution/separable_conv.h"
#include "core/network/network.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::expect_numeric_gradient;
using test::numbers;

/// Calls term(x, w, y) for every product x[.] * w[.] that goes into y[.], of one row; a layer that is linear in input and kernel.
using Terms = std::function<void(const std::function<void(std::int64_t, std::int64_t, std::int64_t)>&)>;

void expect_close(const std::vector<double>& expected, const std::vector<float>& found, const std::string& what) {
  ASSERT_EQ(expected.size(), found.size()) << what;
  for (std::size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(static_cast<double>(found[i]), expected[i], 2e-5 * (1 + std::abs(expected[i]))) << what << " at " << i;
  }
}

/// Expects that op 0 of a network computes y = x * W + b, its input gradient, and the gradients of W and b, by the products of `terms`, on
/// some rows of random numbers. b is one number for each of the last `channels` of y; 0: there is none.
void expect_products(Network& network, const Terms& terms, std::int64_t channels, const std::string& what) {
  constexpr std::int64_t kRows = 5;
  Op& op = *network.ops()[0];
  const auto fill = [&](std::size_t weight, float phase) {
    const std::span<float> values = op.values(weight);
    const std::vector<float> random = numbers(static_cast<std::int64_t>(values.size()), phase);
    std::copy(random.begin(), random.end(), values.begin());
    return random;
  };
  const std::vector<float> w = fill(0, 3), b = channels > 0 ? fill(1, 4) : std::vector<float>();
  const std::vector<float> x = numbers(kRows * op.in, 1), dy = numbers(kRows * op.out, 2);
  std::vector<double> y(dy.size()), dx(x.size()), dw(w.size()), db(b.size());
  for (std::size_t i = 0; i < dy.size() && channels > 0; ++i) {
    y[i] = static_cast<double>(b[i % b.size()]);
    db[i % b.size()] += static_cast<double>(dy[i]);
  }
  for (std::int64_t row = 0; row < kRows; ++row) {
    terms([&](std::int64_t in, std::int64_t weight, std::int64_t out) {
      const auto i = static_cast<std::size_t>(row * op.in + in), k = static_cast<std::size_t>(weight),
                 o = static_cast<std::size_t>(row * op.out + out);
      const auto number = [](float value) { return static_cast<double>(value); };
      y[o] += number(x[i]) * number(w[k]);
      dx[i] += number(dy[o]) * number(w[k]);
      dw[k] += number(x[i]) * number(dy[o]);
    });
  }
  const Block block{.rows = kRows, .training = true};
  std::vector<float> found_y(y.size()), found_dx(dx.size()), delta = dy, gradient(static_cast<std::size_t>(op.slice().count));
  op.prepare(kRows, 1);
  for (std::int64_t piece = 0; piece < op.refreshes(); ++piece) op.refresh(piece, true);
  op.forward(x.data(), found_y.data(), block);
  op.backward(x.data(), found_y.data(), delta.data(), found_dx.data(), block);
  op.gradient(x.data(), delta.data(), block, op.slice(), gradient.data());
  expect_close(y, found_y, what + ": y");
  expect_close(dx, found_dx, what + ": dx");
  expect_close(dw, {gradient.begin(), gradient.begin() + static_cast<std::ptrdiff_t>(dw.size())}, what + ": gradient of W");
  const auto bias = gradient.begin() + static_cast<std::ptrdiff_t>(dw.size());
  expect_close(db, {bias, bias + static_cast<std::ptrdiff_t>(db.size())}, what + ": gradient of b");
}

/// Length of the output along an axis, and elements of padding before the input: keras/src/ops/operation_utils.py,
/// compute_conv_output_shape, and TensorFlow's rule for "same".
struct Along {
  std::int64_t out, before;
};
Along along(std::int64_t in, std::int64_t kernel, std::int64_t stride, std::int64_t dilation, Padding padding) {
  const std::int64_t span = dilation * (kernel - 1) + 1;
  if (padding == Padding::valid) return {(in - span) / stride + 1, 0};
  if (padding == Padding::causal) return {(in - 1) / stride + 1, span - 1};
  const std::int64_t out = (in + stride - 1) / stride, total = std::max<std::int64_t>((out - 1) * stride + span - in, 0);
  return {out, total / 2};
}

/// Of a convolution whose kernel is (height, width, channels / groups, filters).
Terms terms_of(const Conv2D& layer, const Shape& input) {
  return [layer, input](const auto& term) {
    const std::int64_t channels = input[2], mine = channels / layer.groups, filters = layer.filters, of_group = filters / layer.groups;
    const auto &k = layer.kernel_size, &s = layer.strides, &d = layer.dilation_rate;
    const Along h = along(input[0], k[0], s[0], d[0], layer.padding), w = along(input[1], k[1], s[1], d[1], layer.padding);
    for (std::int64_t i = 0; i < h.out * w.out * filters; ++i) {
      const std::int64_t f = i % filters, column = i / filters % w.out, row = i / filters / w.out, group = f / of_group;
      for (std::int64_t a = 0; a < k[0]; ++a) {
        for (std::int64_t b = 0; b < k[1]; ++b) {
          const std::int64_t y = row * s[0] - h.before + a * d[0], x = column * s[1] - w.before + b * d[1];
          if (y < 0 || y >= input[0] || x < 0 || x >= input[1]) continue;
          for (std::int64_t c = 0; c < mine; ++c)
            term((y * input[1] + x) * channels + group * mine + c, ((a * k[1] + b) * mine + c) * filters + f, i);
        }
      }
    }
  };
}

std::string text(const Conv2D& layer, const Shape& input) {
  const auto pair = [](const Sizes<2>& sizes) { return std::to_string(sizes[0]) + "x" + std::to_string(sizes[1]); };
  return to_string(input) + " to " + std::to_string(layer.filters) + ", kernel " + pair(layer.kernel_size) + ", strides " +
         pair(layer.strides) + ", dilation " + pair(layer.dilation_rate) + ", groups " + std::to_string(layer.groups) + ", padding " +
         std::string(word_of(layer.padding));
}

void expect_convolution(const Conv2D& layer, const Shape& input) {
  Network network({layer}, input, 7);
  EXPECT_EQ(network.ops()[0]->slow(true), "") << text(layer, input);
  EXPECT_EQ(network.ops()[0]->computation().by.find("oneDNN, "), 0U);
  EXPECT_EQ(network.output_shape(0),
            (Shape{along(input[0], layer.kernel_size[0], layer.strides[0], layer.dilation_rate[0], layer.padding).out,
                   along(input[1], layer.kernel_size[1], layer.strides[1], layer.dilation_rate[1], layer.padding).out, layer.filters}));
  expect_products(network, terms_of(layer, input), layer.use_bias ? layer.filters : 0, text(layer, input));
}

TEST(Conv, OfAnyNumberOfChannels) {
  for (const std::int64_t channels : {1, 2, 3, 5, 8, 16, 17}) {
    for (const std::int64_t filters : {1, 3, 6, 8, 16, 17}) {
      for (const Padding padding : {Padding::valid, Padding::same})
        expect_convolution({.filters = filters, .kernel_size = 3, .padding = padding}, {7, 6, channels});
    }
  }
}

TEST(Conv, OfAnyWindow) {
  for (const std::int64_t channels : {1, 5, 16}) {
    for (const Padding padding : {Padding::valid, Padding::same}) {
      for (const Sizes<2>& kernel : {Sizes<2>{1, 1}, {2, 3}, {5, 1}, {4, 4}}) {
        for (const Sizes<2>& strides : {Sizes<2>{1, 1}, {2, 2}, {3, 1}})
          expect_convolution({.filters = 7, .kernel_size = kernel, .strides = strides, .padding = padding}, {9, 8, channels});
        for (const Sizes<2>& dilation : {Sizes<2>{2, 2}, {1, 2}})
          expect_convolution({.filters = 8, .kernel_size = kernel, .padding = padding, .dilation_rate = dilation}, {9, 8, channels});
      }
    }
  }
}

TEST(Conv, OfGroups) {
  for (const auto& [channels, filters, groups] :
       std::vector<std::array<std::int64_t, 3>>{{2, 2, 2}, {4, 6, 2}, {6, 9, 3}, {32, 16, 2}, {5, 5, 5}}) {
    expect_convolution({.filters = filters, .kernel_size = {3, 2}, .padding = Padding::same, .groups = groups}, {6, 5, channels});
    expect_convolution({.filters = filters, .kernel_size = 3, .strides = 2, .groups = groups, .use_bias = false}, {6, 7, channels});
  }
}

TEST(Conv, OfAKernelLargerThanItsInput) {
  expect_convolution({.filters = 3, .kernel_size = {5, 7}, .padding = Padding::same}, {2, 3, 4});
  expect_convolution({.filters = 3, .kernel_size = 3, .padding = Padding::same, .dilation_rate = 4}, {3, 3, 4});
}

TEST(Conv, OfOneAxisIsThatOfAnImageOfHeightOne) {
  for (const Padding padding : {Padding::valid, Padding::same, Padding::causal}) {
    for (const std::int64_t dilation : {1, 2}) {
      const Conv1D layer{.filters = 6, .kernel_size = 3, .padding = padding, .dilation_rate = dilation};
      Network network({layer}, {9, 5}, 7);
      const Terms terms = [&](const auto& term) {
        const Along t = along(9, 3, 1, dilation, padding);
        for (std::int64_t i = 0; i < t.out * 6; ++i) {
          for (std::int64_t k = 0; k < 3; ++k) {
            const std::int64_t x = i / 6 - t.before + k * dilation;
            for (std::int64_t c = 0; c < 5 && x >= 0 && x < 9; ++c) term(x * 5 + c, (k * 5 + c) * 6 + i % 6, i);
          }
        }
      };
      expect_products(network, terms, 6, std::string(word_of(padding)));
    }
  }
}

TEST(DepthwiseConv, ConvolvesEachChannelByItself) {
  for (const auto& [channels, multiplier] :
       std::vector<std::pair<std::int64_t, std::int64_t>>{{1, 1}, {3, 1}, {5, 2}, {16, 1}, {17, 1}, {8, 3}}) {
    for (const std::int64_t stride : {1, 2}) {
      const Shape input = {7, 6, channels};
      Network network({DepthwiseConv2D{.kernel_size = 3, .strides = stride, .padding = Padding::same, .depth_multiplier = multiplier}},
                      input, 7);
      EXPECT_EQ(network.ops()[0]->weights()[0].shape, (Shape{3, 3, channels, multiplier}));
      const Conv2D same{
          .filters = channels * multiplier, .kernel_size = 3, .strides = stride, .padding = Padding::same, .groups = channels};
      expect_products(network, terms_of(same, input), same.filters, text(same, input));
    }
  }
}

/// y[q * stride - before + k] of x[q]: the transposed of the convolution from y to x.
void expect_transposed(const Conv2DTranspose& layer, const Shape& input) {
  Network network({layer}, input, 7);
  const std::int64_t k = layer.kernel_size[0], s = layer.strides[0], f = layer.filters, c = input[2];
  const bool same = layer.padding == Padding::same;
  const auto length = [&](std::int64_t in) { return same ? in * s : (in - 1) * s + std::max(k, s); };
  const std::int64_t h = length(input[0]), w = length(input[1]), before = same ? std::max<std::int64_t>(k - s, 0) / 2 : 0;
  ASSERT_EQ(network.output_shape(0), (Shape{h, w, f}));
  ASSERT_EQ(network.ops()[0]->weights()[0].shape, (Shape{k, k, f, c}));
  const Terms terms = [&](const auto& term) {
    for (std::int64_t i = 0; i < input[0] * input[1] * c; ++i) {
      for (std::int64_t t = 0; t < k * k * f; ++t) {
        const std::int64_t y = i / c / input[1] * s - before + t / f / k, x = i / c % input[1] * s - before + t / f % k;
        if (y >= 0 && y < h && x >= 0 && x < w) term(i, t * c + i % c, (y * w + x) * f + t % f);
      }
    }
  };
  expect_products(network, terms, f, "transposed, kernel " + std::to_string(k) + ", stride " + std::to_string(s));
}

TEST(ConvTranspose, SendsEveryInputToItsWindow) {
  for (const Padding padding : {Padding::valid, Padding::same}) {
    for (const std::int64_t kernel : {1, 2, 3, 4}) {
      for (const std::int64_t stride : {1, 2, 3})
        expect_transposed({.filters = 3, .kernel_size = kernel, .strides = stride, .padding = padding}, {4, 5, 6});
    }
  }
  expect_transposed({.filters = 1, .kernel_size = 3, .strides = 2}, {4, 5, 16});
  expect_transposed({.filters = 17, .kernel_size = 3, .strides = 2, .padding = Padding::same}, {4, 5, 1});
}

TEST(Conv, ReluAndOtherActivationsEndIt) {
  for (const ActivationFunction function : {relu, tanh_, gelu}) {
    Network plain({Conv2D{.filters = 4, .kernel_size = 3}}, {5, 5, 3}, 7),
        active({Conv2D{.filters = 4, .kernel_size = 3, .activation = function}}, {5, 5, 3}, 7);
    Pass one(plain, {.rows = 2, .grains = 1}), other(active, {.rows = 2, .grains = 1});
    const std::vector<float> x = numbers(2 * 75, 1);
    std::copy(x.begin(), x.end(), one.input());
    std::copy(x.begin(), x.end(), other.input());
    one.forward({}, 1);
    other.forward({}, 1);
    std::vector<float> expected(2 * 36);
    activate(function, one.output(), expected.data(), 2 * 9, 4);
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(other.output()[i], expected[i], 1e-6);
  }
}

TEST(Conv, GradientIsThatOfTheOutput) {
  Network images(
      {Conv2D{.filters = 3, .kernel_size = 2, .activation = tanh_}, Conv2D{.filters = 2, .kernel_size = 3, .padding = Padding::same},
       DepthwiseConv2D{.kernel_size = 2, .activation = sigmoid}, Conv2DTranspose{.filters = 2, .kernel_size = 2, .activation = gelu},
       Flatten{}, Dense{2}},
      {4, 5, 2}, 7);
  expect_numeric_gradient(images, 3);
  Network steps({Conv1D{.filters = 3, .kernel_size = 2, .padding = Padding::causal, .activation = silu},
                 SeparableConv1D{.filters = 2, .kernel_size = 2, .depth_multiplier = 2, .activation = tanh_},
                 Conv1DTranspose{.filters = 2, .kernel_size = 3, .strides = 2}, DepthwiseConv1D{.kernel_size = 2}, Flatten{}, Dense{2}},
                {5, 2}, 7);
  expect_numeric_gradient(steps, 3);
}

TEST(Conv, GradientOfSeveralGrainsIsTheSumOfTheirs) {
  Network network({Conv2D{.filters = 3, .kernel_size = 2}}, {4, 4, 2}, 7);
  Op& op = *network.ops()[0];
  const std::vector<float> x = numbers(6 * op.in, 1), dy = numbers(6 * op.out, 2);
  const auto count = static_cast<std::size_t>(op.slice().count);
  std::vector<float> all(count), grain(count), sum(count);
  op.prepare(2, 1);
  op.gradient(x.data(), dy.data(), {.rows = 6}, op.slice(), all.data());
  for (std::int64_t row = 0; row < 6; row += 2) {
    op.gradient(x.data() + row * op.in, dy.data() + row * op.out, {.rows = 2}, op.slice(), grain.data());
    for (std::size_t i = 0; i < count; ++i) sum[i] += grain[i];
  }
  EXPECT_EQ(all, sum);
}

TEST(Conv, TrainsOnWeightsThatChange) {
  Network network({Conv2D{.filters = 1, .kernel_size = 1, .kernel_initializer = Initializer::ones}}, {1, 1, 1}, 7);
  Pass pass(network, {.rows = 1, .grains = 1});
  pass.input()[0] = 5;
  pass.forward({.training = true}, 1);
  EXPECT_EQ(pass.output()[0], 5);
  network.ops()[0]->values(0)[0] = 3;
  pass.forward({.training = true}, 1);
  EXPECT_EQ(pass.output()[0], 15);
  network.ops()[0]->values(0)[0] = 2;
  network.prepare(1, 1);
  pass.forward({}, 1);
  EXPECT_EQ(pass.output()[0], 10);
}

TEST(Conv, WrongSettingsAreErrorsThatNameTheLayer) {
  const auto expect = [](const LayerSpec& layer, const Shape& input, const std::string& message) {
    testing::expect_error([&] { Network({layer}, input, 0); }, {message});
  };
  expect(Conv2D{.filters = 2, .kernel_size = 3, .name = "c"}, {28, 28},
         "layer 'c' (Conv2D): needs an input of shape (None, height, width, channels), found (None, 28, 28); put a Reshape before it");
  expect(Conv1D{.filters = 2, .kernel_size = 3, .name = "c"}, {28},
         "layer 'c' (Conv1D): needs an input of shape (None, steps, channels), found (None, 28); put a Reshape before it");
  expect(Conv2D{.filters = 2, .kernel_size = {3, 5}, .name = "c"}, {4, 4, 1},
         "layer 'c' (Conv2D): a window over 5 elements is longer than the 4 of its input (None, 4, 4, 1); make it smaller, or set padding: "
         "same");
  expect(Conv2D{.filters = 2, .kernel_size = 3, .strides = 2, .dilation_rate = {1, 2}, .name = "c"}, {9, 9, 1},
         "layer 'c' (Conv2D): strides and dilation_rate cannot both be above 1");
  expect(Conv2D{.filters = 4, .kernel_size = 3, .groups = 2, .name = "c"}, {9, 9, 3},
         "layer 'c' (Conv2D): groups 2 must divide the 3 channels of its input and the 4 filters");
  expect(Conv2D{.filters = 4, .kernel_size = 3, .padding = Padding::causal, .name = "c"}, {9, 9, 3},
         "layer 'c' (Conv2D): padding: causal is for Conv1D alone");
  expect(Conv2D{.filters = 0, .kernel_size = 3, .name = "c"}, {9, 9, 3}, "layer 'c' (Conv2D): filters is 0, it must be in [1, 2147483647]");
  expect(Conv2D{.filters = 1, .kernel_size = {1, 0}, .name = "c"}, {9, 9, 3}, "layer 'c' (Conv2D): kernel_size is 0");
  expect(Conv2D{.filters = kMostElements, .kernel_size = 3, .name = "c"}, {9, 9, 3},
         "layer 'c' (Conv2D): an output of shape (None, 7, 7, 2147483647) has more");
  expect(Conv2D{.filters = 1 << 20, .kernel_size = 3, .name = "c"}, {3, 3, 1 << 10},
         "layer 'c' (Conv2D): a kernel of shape (3, 3, 1024, 1048576) has more");
  expect(Conv2D{.filters = 1, .kernel_size = kMostElements, .padding = Padding::same, .dilation_rate = kMostElements, .name = "c"},
         {3, 3, 1}, "layer 'c' (Conv2D): a window over ");
  expect(DepthwiseConv2D{.kernel_size = 1, .depth_multiplier = kMostElements, .name = "c"}, {3, 3, 4},
         "layer 'c' (DepthwiseConv2D): a kernel of shape");
  expect(Conv2DTranspose{.filters = 1, .kernel_size = 1, .strides = kMostElements, .name = "c"}, {3, 3, 1},
         "layer 'c' (Conv2DTranspose): an output of shape (None, 6442450941, 6442450941, 1) has more");
  expect(Conv2DTranspose{.filters = 1, .kernel_size = 3, .strides = 2, .output_padding = 2, .name = "c"}, {3, 3, 1},
         "layer 'c' (Conv2DTranspose): output_padding must be below strides");
}

}  // namespace
}  // namespace lockstep
