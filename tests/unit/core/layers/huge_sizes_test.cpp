// Sizes near the largest number that a layer takes: an Error that names the layer, or a model that is built without memory for a row.
#include <gtest/gtest.h>

#include "core/network/network.h"
#include "support/throws.h"

namespace lockstep {
namespace {

constexpr std::int64_t kHuge = kMostElements;

TEST(HugeSizes, AreErrorsThatNameTheLayer) {
  const auto expect = [](LayerSpec layer, const Shape& input) {
    layer_name(layer) = "huge";
    testing::expect_error([&] { Network({layer}, input, 0); }, {"layer 'huge' (" + class_name(layer) + "): "});
  };
  for (const Padding padding : {Padding::valid, Padding::same}) {
    expect(Conv1D{.filters = kHuge, .kernel_size = kHuge, .padding = padding}, {8, 3});
    expect(Conv1D{.filters = 1, .kernel_size = kHuge, .padding = padding, .dilation_rate = kHuge}, {8, 3});
    expect(Conv2D{.filters = kHuge, .kernel_size = 2, .strides = kHuge, .padding = padding}, {8, 8, 3});
    expect(Conv2D{.filters = 1, .kernel_size = {1, kHuge}, .padding = padding, .dilation_rate = kHuge}, {8, 8, 3});
    expect(DepthwiseConv1D{.kernel_size = 2, .padding = padding, .depth_multiplier = kHuge}, {8, 3});
    expect(DepthwiseConv2D{.kernel_size = kHuge, .padding = padding}, {8, 8, 3});
    expect(SeparableConv1D{.filters = kHuge, .kernel_size = 2, .padding = padding, .depth_multiplier = kHuge}, {8, 3});
    expect(SeparableConv2D{.filters = kHuge, .kernel_size = 2, .padding = padding, .depth_multiplier = 1 << 20}, {8, 8, 3});
    expect(Conv1DTranspose{.filters = 1, .kernel_size = kHuge, .padding = padding, .dilation_rate = kHuge}, {8, 3});
    expect(Conv1DTranspose{.filters = kHuge, .kernel_size = 2, .strides = kHuge, .padding = padding}, {1 << 20, 1});
    expect(Conv2DTranspose{.filters = 1, .kernel_size = kHuge, .padding = padding, .dilation_rate = kHuge}, {8, 8, 3});
    expect(Conv2DTranspose{.filters = 1, .kernel_size = 2, .strides = kHuge, .padding = padding, .output_padding = kHuge - 1}, {8, 8, 3});
    expect(MaxPooling1D{.pool_size = kHuge, .padding = padding}, {8, 3});
    expect(AveragePooling2D{.pool_size = {2, kHuge}, .padding = padding, .strides = kHuge}, {8, 8, 3});
  }
  expect(Dense{.units = kHuge}, {2, 2});
  expect(Embedding{.input_dim = 1 << 24, .output_dim = kHuge}, {4});
  expect(Reshape{{kHuge, kHuge, kHuge, kHuge, kHuge}}, {4});
  expect(Reshape{{INT64_MAX, INT64_MIN, -1}}, {4});
  expect(Permute{{INT64_MAX, 1}}, {4, 4});
  expect(RepeatVector{kHuge}, {2});
  expect(UpSampling1D{kHuge}, {kHuge, 1});
  expect(UpSampling2D{{kHuge, kHuge}}, {2, 2, 1});
  expect(ZeroPadding1D{kHuge}, {2, 2});
  expect(ZeroPadding2D{kHuge}, {2, 2, 2});
  expect(Cropping1D{kHuge}, {2, 2});
  expect(Cropping2D{kHuge}, {2, 2, 2});
  expect(CenterCrop{.height = kHuge, .width = kHuge}, {2, 2, 2});
  expect(GroupNormalization{.groups = INT64_MAX}, {4, 4});
  expect(LayerNormalization{.axis = {INT64_MIN}}, {4, 4});
  expect(BatchNormalization{.axis = INT64_MIN}, {4, 4});
  expect(Softmax{{INT64_MIN}}, {4, 4});
  expect(PReLU{.shared_axes = {INT64_MAX}}, {4, 4});
}

TEST(HugeSizes, OperationsAreCountedWithoutOverflow) {
  constexpr std::int64_t kWindow = 1 << 20;
  const auto operations = [](const LayerSpec& layer) {
    return Network({layer}, {30'000, 30'000, 1}, 0).ops()[0]->computation().operations;
  };
  const double expected = 30'000.0 * 30'000.0 * kWindow * kWindow;
  EXPECT_EQ(operations(MaxPooling2D{.pool_size = kWindow, .padding = Padding::same, .strides = 1}), expected);
  EXPECT_EQ(operations(AveragePooling2D{.pool_size = kWindow, .padding = Padding::same, .strides = 1}), expected);
}

// Before memory for them is looked at. A list of all copies would take 32 GiB.
TEST(HugeSizes, CopiesTakeNoMemoryWhileAModelIsBuilt) {
  const auto width = [](const LayerSpec& layer, const Shape& input) { return Network({layer}, input, 0).output_width(); };
  EXPECT_EQ(width(RepeatVector{kHuge}, {1}), kHuge);
  EXPECT_EQ(width(Permute{{2, 1}}, {46'000, 46'000}), 46'000LL * 46'000);
  EXPECT_EQ(width(UpSampling1D{kHuge}, {1, 1}), kHuge);
  EXPECT_EQ(width(UpSampling2D{{2, 2}}, {23'000, 23'000, 1}), 46'000LL * 46'000);
  EXPECT_EQ(width(Cropping2D{1}, {kHuge / 3, 3, 1}), kHuge / 3 - 2);
  EXPECT_EQ(width(ZeroPadding2D{{{0, 0}, {0, 1}}}, {kHuge / 2, 1, 1}), kHuge / 2 * 2);
}

}  // namespace
}  // namespace lockstep
