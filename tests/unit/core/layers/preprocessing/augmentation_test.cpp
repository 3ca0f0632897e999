#include "core/layers/preprocessing/augmentation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <map>

#include "support/layers/layer_output.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::counted;
using test::expect_numeric_gradient;
using test::layer_output;
using Values = std::vector<float>;

const Block kTraining = {.step = 3, .training = true};

/// How often each image came out of `rows` copies of one.
std::map<Values, int> outcomes(const LayerSpec& layer, const Shape& input, const Values& image, int rows) {
  Values x;
  for (int r = 0; r < rows; ++r) x.insert(x.end(), image.begin(), image.end());
  const Values y = layer_output(layer, input, x, kTraining);
  std::map<Values, int> found;
  const auto width = static_cast<std::ptrdiff_t>(image.size());
  for (auto at = y.begin(); at != y.end(); at += width) ++found[Values(at, at + width)];
  return found;
}

TEST(RandomFlip, MirrorsHalfOfTheImages) {
  const Values image = {1, 2, 3, 4, 5, 6};  // 1 2 3 above 4 5 6
  const std::vector<std::pair<FlipMode, Values>> cases = {{FlipMode::horizontal, {3, 2, 1, 6, 5, 4}},
                                                          {FlipMode::vertical, {4, 5, 6, 1, 2, 3}},
                                                          {FlipMode::horizontal_and_vertical, {6, 5, 4, 3, 2, 1}}};
  for (const auto& [mode, mirrored] : cases) {
    const std::map<Values, int> found = outcomes(RandomFlip{mode}, {2, 3, 1}, image, 400);
    ASSERT_EQ(found.size(), 2U);
    EXPECT_NEAR(found.at(image), 200, 50);
    EXPECT_EQ(found.at(mirrored), 400 - found.at(image));
  }
  EXPECT_EQ(outcomes(RandomFlip{FlipMode::horizontal}, {1, 2, 2}, {1, 2, 3, 4}, 99).count({3, 4, 1, 2}), 1U) << "channels stay together";
}

/// A row of 1 2 3 4 5 that is moved to the right by `pixels`.
Values moved(float pixels, FillMode mode, Interpolation interpolation = Interpolation::nearest, float fill_value = 0) {
  const Range factor(pixels / 5, pixels / 5);
  return layer_output(
      RandomTranslation{
          .height_factor = 0, .width_factor = factor, .fill_mode = mode, .interpolation = interpolation, .fill_value = fill_value},
      {1, 5, 1}, counted(5), kTraining);
}

TEST(RandomTranslation, FillsWhatLiesBeyondTheImage) {
  EXPECT_EQ(moved(2, FillMode::constant), (Values{0, 0, 1, 2, 3}));
  EXPECT_EQ(moved(-2, FillMode::constant, Interpolation::nearest, 9), (Values{3, 4, 5, 9, 9}));
  EXPECT_EQ(moved(2, FillMode::reflect), (Values{2, 1, 1, 2, 3}));
  EXPECT_EQ(moved(-3, FillMode::reflect), (Values{4, 5, 5, 4, 3}));
  EXPECT_EQ(moved(5, FillMode::reflect), (Values{5, 4, 3, 2, 1}));
  EXPECT_EQ(moved(2, FillMode::wrap), (Values{4, 5, 1, 2, 3}));
  EXPECT_EQ(moved(-2, FillMode::wrap), (Values{3, 4, 5, 1, 2}));
  EXPECT_EQ(moved(2, FillMode::nearest), (Values{1, 1, 1, 2, 3}));
  EXPECT_EQ(moved(-2, FillMode::nearest), (Values{3, 4, 5, 5, 5}));
  EXPECT_EQ(moved(0.75F, FillMode::nearest), (Values{1, 1, 2, 3, 4})) << "a whole pixel is the nearest";
}

TEST(RandomTranslation, IsBilinearBetweenPixels) {
  const auto expect = [](const Values& found, const Values& expected) {
    for (std::size_t i = 0; i < expected.size(); ++i) EXPECT_NEAR(found[i], expected[i], 1e-5) << i;
  };
  expect(moved(0.5F, FillMode::nearest, Interpolation::bilinear), {1, 1.5, 2.5, 3.5, 4.5});
  expect(moved(-1.25F, FillMode::constant, Interpolation::bilinear), {2.25, 3.25, 4.25, 3.75, 0});  // 0.75 of 5
  expect(moved(0.5F, FillMode::constant, Interpolation::bilinear, 3), {2, 1.5, 2.5, 3.5, 4.5});
}

TEST(RandomTranslation, MovesAlongBothAxesWithinTheRange) {
  // An image of one bright pixel in the middle of 5 x 5.
  Values image(25);
  image[12] = 1;
  const RandomTranslation layer{
      .height_factor = {-0.2F, 0.4F}, .width_factor = 0.2F, .fill_mode = FillMode::constant, .interpolation = Interpolation::nearest};
  std::map<std::pair<int, int>, int> found;
  for (const auto& [moved_image, count] : outcomes(layer, {5, 5, 1}, image, 600)) {
    const auto at = static_cast<int>(std::max_element(moved_image.begin(), moved_image.end()) - moved_image.begin());
    found[{at / 5 - 2, at % 5 - 2}] += count;
  }
  EXPECT_EQ(found.size(), 4U * 3U);  // down by -1, 0, 1, 2, to the right by -1, 0, 1
  for (const auto& [distance, count] : found) {
    EXPECT_GE(distance.first, -1);
    EXPECT_LE(distance.first, 2);
    EXPECT_LE(std::abs(distance.second), 1);
  }
}

TEST(Augmentation, IsTheIdentityOutsideTrainingAndAFunctionOfTheSlot) {
  const Values x = test::numbers(10 * 12, 1);
  for (const LayerSpec& layer : std::vector<LayerSpec>{RandomFlip{}, RandomTranslation{0.5F, 0.5F}}) {
    EXPECT_EQ(layer_output(layer, {3, 2, 2}, x), x);
    const Values all = layer_output(layer, {3, 2, 2}, x, kTraining);
    EXPECT_NE(all, x);
    Block later = kTraining;
    later.first_slot = 6;
    EXPECT_EQ(layer_output(layer, {3, 2, 2}, Values(x.begin() + 72, x.end()), later), Values(all.begin() + 72, all.end()));
  }
}

TEST(Augmentation, GradientsReachTheLayerBefore) {
  for (const FillMode mode : {FillMode::constant, FillMode::reflect, FillMode::wrap, FillMode::nearest}) {
    Network network({Dense{2}, RandomTranslation{0.5F, 0.5F, mode}, RandomFlip{}, Flatten{}, Dense{2, tanh_}}, {3, 3, 2}, 7);
    expect_numeric_gradient(network, 4);
  }
}

TEST(Augmentation, WrongSettingsAreErrorsThatNameTheLayer) {
  testing::expect_error([] { Network({RandomFlip{.name = "f"}}, {4}, 0); },
                        {"layer 'f' (RandomFlip): needs rows of shape (height, width, channels), found an input of shape (None, 4)"});
  testing::expect_error(
      [] {
        Network({RandomTranslation{.height_factor = 2, .width_factor = 0, .name = "t"}}, {4, 4, 1}, 0);
      },
      {"layer 't' (RandomTranslation): height_factor is -2, it must be in [-1, 1]"});
}

}  // namespace
}  // namespace lockstep
