#include "core/layers/reshaping/margins.h"

#include <gtest/gtest.h>

#include "support/layers/layer_output.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::counted;
using test::expect_numeric_gradient;
using test::layer_output;
using test::output_shape;
using Values = std::vector<float>;

TEST(ZeroPadding, PutsZerosAroundTheRow) {
  EXPECT_EQ(layer_output(ZeroPadding1D{{1, 2}}, {2, 2}, counted(8)),
            (Values{0, 0, 1, 2, 3, 4, 0, 0, 0, 0, /*second row*/ 0, 0, 5, 6, 7, 8, 0, 0, 0, 0}));
  EXPECT_EQ(output_shape(ZeroPadding1D{2}, {2, 3}), (Shape{6, 3}));
  EXPECT_EQ(layer_output(ZeroPadding2D{{{1, 0}, {0, 2}}}, {2, 2, 1}, counted(4)), (Values{0, 0, 0, 0, 1, 2, 0, 0, 3, 4, 0, 0}));
  EXPECT_EQ(layer_output(ZeroPadding2D{}, {1, 1, 2}, counted(2)), (Values{0, 0, 0, 0, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 0, 0, 0, 0}));
  EXPECT_EQ(output_shape(ZeroPadding2D{{1, 2}}, {3, 3, 5}), (Shape{5, 7, 5}));
  EXPECT_EQ(layer_output(ZeroPadding2D{0}, {2, 2, 1}, counted(4)), counted(4));
}

TEST(Cropping, LeavesOutTheMargins) {
  EXPECT_EQ(layer_output(Cropping1D{{1, 0}}, {3, 2}, counted(12)), (Values{3, 4, 5, 6, 9, 10, 11, 12}));
  EXPECT_EQ(output_shape(Cropping1D{}, {4, 2}), (Shape{2, 2}));
  EXPECT_EQ(layer_output(Cropping2D{{{1, 0}, {0, 1}}}, {2, 3, 1}, counted(12)), (Values{4, 5, 10, 11}));
  EXPECT_EQ(output_shape(Cropping2D{1}, {3, 4, 2}), (Shape{1, 2, 2}));
  EXPECT_EQ(layer_output(Cropping2D{}, {2, 2, 1}, counted(4)), counted(4));
}

TEST(Margins, WrongOnesAreErrorsThatNameTheLayer) {
  const auto expect = [](const LayerSpec& layer, const Shape& input, const std::string& message) {
    testing::expect_error([&] { Network({layer}, input, 0); }, {message});
  };
  expect(ZeroPadding1D{.name = "z"}, {3},
         "layer 'z' (ZeroPadding1D): needs rows of shape (steps, features), found an input of shape (None, 3)");
  expect(ZeroPadding2D{.name = "z"}, {3, 3},
         "layer 'z' (ZeroPadding2D): needs rows of shape (height, width, channels), found an input of shape (None, 3, 3); put a Reshape");
  expect(ZeroPadding1D{{1, -1}, "z"}, {3, 3}, "layer 'z' (ZeroPadding1D): padding is -1, it must be in [0, 2147483647]");
  expect(ZeroPadding2D{2147483647, "z"}, {3, 3, 3},
         "layer 'z' (ZeroPadding2D): an output of shape (None, 4294967297, 4294967297, 3) has more");
  expect(Cropping1D{{2, 1}, "c"}, {3, 3},
         "layer 'c' (Cropping1D): cuts 2 and 1 off an axis of 3 of its input (None, 3, 3), which leaves nothing");
  expect(Cropping2D{{{0, 0}, {1, 1}}, "c"}, {3, 2, 1},
         "layer 'c' (Cropping2D): cuts 1 and 1 off an axis of 2 of its input (None, 3, 2, 1), which leaves nothing");
  expect(Cropping2D{{{-1, 0}, 0}, "c"}, {3, 2, 1}, "layer 'c' (Cropping2D): cropping is -1, it must be in [0, 2147483647]");
}

TEST(Margins, GradientsReachTheLayerBefore) {
  Network padded({Dense{2}, ZeroPadding2D{{{1, 0}, {2, 1}}}, Cropping2D{{{0, 1}, {1, 2}}}, Flatten{}, Dense{2, tanh_}}, {3, 3, 1}, 7);
  expect_numeric_gradient(padded, 3);
}

}  // namespace
}  // namespace lockstep
