#include "core/layers/reshaping/up_sampling.h"

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

TEST(UpSampling, RepeatsStepsAndPixels) {
  EXPECT_EQ(layer_output(UpSampling1D{2}, {2, 2}, counted(4)), (Values{1, 2, 1, 2, 3, 4, 3, 4}));
  EXPECT_EQ(layer_output(UpSampling2D{{1, 2}}, {2, 1, 2}, counted(8)), (Values{1, 2, 1, 2, 3, 4, 3, 4, 5, 6, 5, 6, 7, 8, 7, 8}));
  EXPECT_EQ(layer_output(UpSampling2D{}, {1, 2, 1}, counted(2)), (Values{1, 1, 2, 2, 1, 1, 2, 2}));
  EXPECT_EQ(output_shape(UpSampling2D{{3, 2}}, {2, 2, 5}), (Shape{6, 4, 5}));
}

TEST(UpSampling, IsBilinearBetweenTheCentresOfPixels) {
  const UpSampling2D wide{{1, 2}, Interpolation::bilinear}, high{{2, 1}, Interpolation::bilinear};
  EXPECT_EQ(layer_output(wide, {1, 3, 1}, {0, 4, 8}), (Values{0, 1, 3, 5, 7, 8}));
  EXPECT_EQ(layer_output(high, {2, 1, 2}, {0, 10, 4, 20}), (Values{0, 10, 1, 12.5, 3, 17.5, 4, 20}));
  const Values both = layer_output(UpSampling2D{2, Interpolation::bilinear}, {2, 2, 1}, {0, 4, 8, 12});
  EXPECT_EQ(both, (Values{0, 1, 3, 4, 2, 3, 5, 6, 6, 7, 9, 10, 8, 9, 11, 12}));
  for (const float y : layer_output(UpSampling2D{3, Interpolation::bilinear}, {1, 1, 1}, {5})) EXPECT_FLOAT_EQ(y, 5);
}

TEST(UpSampling, GradientsReachTheLayerBefore) {
  for (const Interpolation interpolation : {Interpolation::nearest, Interpolation::bilinear}) {
    Network network({Dense{2}, UpSampling2D{{2, 3}, interpolation}, Flatten{}, Dense{2, tanh_}}, {2, 3, 1}, 7);
    expect_numeric_gradient(network, 3, 1.F / 128);
  }
  Network steps({Dense{2}, UpSampling1D{3}, Flatten{}, Dense{2, tanh_}}, {2, 3}, 7);
  expect_numeric_gradient(steps, 3, 1.F / 128);
}

TEST(UpSampling, WrongSettingsAreErrorsThatNameTheLayer) {
  const auto expect = [](const LayerSpec& layer, const Shape& input, const std::string& message) {
    testing::expect_error([&] { Network({layer}, input, 0); }, {message});
  };
  expect(UpSampling1D{.name = "u"}, {3}, "layer 'u' (UpSampling1D): needs rows of shape (steps, features)");
  expect(UpSampling2D{.name = "u"}, {3}, "layer 'u' (UpSampling2D): needs rows of shape (height, width, channels)");
  expect(UpSampling2D{{0, 1}, Interpolation::nearest, "u"}, {3, 3, 1},
         "layer 'u' (UpSampling2D): size is 0, it must be in [1, 2147483647]");
  expect(UpSampling2D{2147483647, Interpolation::nearest, "u"}, {2147483647, 1, 1}, "layer 'u' (UpSampling2D): an output of shape ");
}

}  // namespace
}  // namespace lockstep
