#include "core/layers/regularization/dropout.h"

#include <gtest/gtest.h>

#include <limits>
#include <set>

#include "support/layers/layer_output.h"
#include "support/numeric_gradient.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::expect_numeric_gradient;
using test::layer_output;
using Values = std::vector<float>;

const Block kTraining = {.step = 3, .training = true};

TEST(Dropout, DropsAPartAndScalesTheRest) {
  const Values y = layer_output(Dropout{0.25F}, {50}, Values(200 * 50, 3), kTraining);
  const auto dropped = std::count(y.begin(), y.end(), 0.F);
  EXPECT_EQ(std::count(y.begin(), y.end(), 4.F), 200 * 50 - dropped);  // 3 / 0.75
  EXPECT_NEAR(static_cast<double>(dropped) / (200 * 50), 0.25, 0.02);
  EXPECT_EQ(layer_output(Dropout{0.25F}, {50}, Values(100, 3)), Values(100, 3));
  EXPECT_EQ(layer_output(Dropout{0}, {50}, Values(100, 3), kTraining), Values(100, 3));
  EXPECT_EQ(layer_output(Dropout{1}, {50}, Values(100, 3), kTraining), Values(100, 0));
}

TEST(Dropout, AnInfinityThatIsDroppedLeavesNoTrace) {
  const Values y = layer_output(Dropout{0.5F}, {64}, Values(64, std::numeric_limits<float>::infinity()), kTraining);
  EXPECT_GT(std::count(y.begin(), y.end(), 0.F), 10);
}

/// The values of a layer on rows of ones, by row; the mask is not 0 where they are not.
std::vector<Values> masks(const LayerSpec& layer, const Shape& input, std::int64_t rows, const Block& block = kTraining) {
  const Values y = layer_output(layer, input, Values(static_cast<std::size_t>(rows * elements(input)), 1), block);
  std::vector<Values> by_row;
  for (auto at = y.begin(); at != y.end(); at += elements(input)) by_row.emplace_back(at, at + elements(input));
  return by_row;
}

TEST(Dropout, TheMaskIsAFunctionOfSeedLayerStepAndSlot) {
  const std::vector<Values> all = masks(Dropout{0.5F}, {20}, 8);
  EXPECT_EQ(std::set<Values>(all.begin(), all.end()).size(), 8U);
  Block later = kTraining;
  later.first_slot = 5;
  EXPECT_EQ(masks(Dropout{0.5F}, {20}, 3, later), (std::vector<Values>{all[5], all[6], all[7]}));
  later.step = 4;
  EXPECT_NE(masks(Dropout{0.5F}, {20}, 3, later)[0], all[5]);
  EXPECT_NE(masks(Dropout{.rate = 0.5F, .seed = 8}, {20}, 1)[0], all[0]);
}

TEST(Dropout, NoiseShapeSharesTheMaskAlongAxesOfOne) {
  const Shape input = {3, 4, 8};
  const auto value = [](const Values& row, std::int64_t a, std::int64_t b, std::int64_t c) {
    return row[static_cast<std::size_t>((a * 4 + b) * 8 + c)];
  };
  for (int shared = 0; shared < 16; ++shared) {  // axis i is 1 where bit i is set; the others by their length or none
    const auto is_shared = [shared](int axis) { return (shared >> axis) % 2 != 0; };
    std::vector<std::optional<std::int64_t>> shape = {{}, {}, 4, {}};
    for (int axis = 0; axis < 4; ++axis) {
      if (is_shared(axis)) shape[static_cast<std::size_t>(axis)] = 1;
    }
    const std::vector<Values> rows = masks(Dropout{.rate = 0.5F, .noise_shape = shape}, input, 2);
    if (is_shared(0) || !is_shared(3)) {  // masks of a few elements may be equal by chance
      EXPECT_EQ(rows[0] == rows[1], is_shared(0)) << shared;
    }
    bool same_a = true, same_b = true, same_c = true;
    for (std::int64_t a = 0; a < 3; ++a) {
      for (std::int64_t b = 0; b < 4; ++b) {
        for (std::int64_t c = 0; c < 8; ++c) {
          same_a = same_a && value(rows[0], a, b, c) == value(rows[0], 0, b, c);
          same_b = same_b && value(rows[0], a, b, c) == value(rows[0], a, 0, c);
          same_c = same_c && value(rows[0], a, b, c) == value(rows[0], a, b, 0);
        }
      }
    }
    EXPECT_TRUE(same_a || !is_shared(1)) << shared;
    EXPECT_TRUE(same_b || !is_shared(2)) << shared;
    EXPECT_TRUE(same_c || !is_shared(3)) << shared;
    EXPECT_TRUE(shared != 0 || !(same_a || same_b || same_c));
  }
}

TEST(SpatialDropout, DropsWholeChannels) {
  const std::vector<std::pair<LayerSpec, Shape>> layers = {{SpatialDropout1D{0.5F}, {6, 32}}, {SpatialDropout2D{0.5F}, {2, 3, 32}}};
  for (const auto& [layer, input] : layers) {
    const std::vector<Values> rows = masks(layer, input, 2);
    EXPECT_NE(rows[0], rows[1]);
    for (const Values& row : rows) {
      const auto dropped = std::count(row.begin(), row.begin() + 32, 0.F);
      EXPECT_GT(dropped, 4);
      EXPECT_LT(dropped, 28);
      for (std::size_t i = 32; i < row.size(); ++i) EXPECT_EQ(row[i], row[i - 32]);
    }
  }
}

TEST(Dropout, GradientsAreThoseOfTheOutput) {
  const std::vector<LayerSpec> all = {Dropout{0.4F}, Dropout{.rate = 0.4F, .noise_shape = {1, {}, 1, {}}}, SpatialDropout2D{0.4F}};
  for (const LayerSpec& layer : all) {
    Network network({Dense{5}, layer, Flatten{}, Dense{2, tanh_}}, {2, 3, 2}, 7);
    expect_numeric_gradient(network, 4);
  }
}

TEST(Dropout, WrongSettingsAreErrorsThatNameTheLayer) {
  const std::vector<std::vector<std::optional<std::int64_t>>> wrong = {{{}}, {{}, 3, 1}, {2, {}, {}}, {{}, {}, {}, {}}, {{}, 2, 2}};
  for (const auto& shape : wrong) {
    testing::expect_error(
        [&] {
          Network({Dropout{.rate = 0.1F, .noise_shape = shape, .name = "d"}}, {2, 3}, 0);
        },
        {"layer 'd' (Dropout): noise_shape does not fit its input (None, 2, 3); give for each of these axes 1, its own"});
  }
  testing::expect_error([] { Network({SpatialDropout1D{.rate = 0.1F, .name = "d"}}, {2}, 0); },
                        {"layer 'd' (SpatialDropout1D): needs rows of shape (steps, features), found an input of shape (None, 2)"});
  testing::expect_error(
      [] {
        Network({SpatialDropout2D{.rate = 2, .name = "d"}}, {2, 2, 2}, 0);
      },
      {"layer 'd' (SpatialDropout2D): rate is 2, it must be in [0, 1]"});
}

}  // namespace
}  // namespace lockstep
