#include "core/layers/reshaping/reshape.h"

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

TEST(Reshape, KeepsTheOrderAndFillsInOneAxis) {
  EXPECT_EQ(layer_output(Reshape{{3, 2}}, {6}, counted(12)), counted(12));
  EXPECT_EQ(output_shape(Reshape{{3, 2}}, {6}), (Shape{3, 2}));
  EXPECT_EQ(output_shape(Reshape{{-1, 4}}, {2, 3, 2}), (Shape{3, 4}));
  EXPECT_EQ(output_shape(Reshape{{2, -1, 1}}, {2, 3, 2}), (Shape{2, 6, 1}));
  EXPECT_EQ(output_shape(Reshape{{-1}}, {2, 3}), (Shape{6}));
}

TEST(Reshape, AShapeThatDoesNotFitIsAnErrorThatNamesTheLayer) {
  const std::vector<Shape> wrong = {{4, 2}, {-1, 5}, {-1, -1}, {0, 6}, {6, 0}, {}, {3}, {6, 2, -1}, {3000000000, 3000000000, 3000000000}};
  for (const Shape& target : wrong) {
    testing::expect_error(
        [&] {
          layer_output(Reshape{target, "r"}, {6}, counted(6));
        },
        {"layer 'r' (Reshape): target_shape " + to_string(target) +
         " does not fit its input (None, 6); give axes whose product is 6, of which one may be -1"});
  }
  testing::expect_error(
      [] {
        layer_output(Reshape{{-2, 3}, "r"}, {6}, counted(6));
      },
      {"layer 'r' (Reshape): target_shape is -2, it must be at least -1"});
}

TEST(Permute, ExchangesAxes) {
  // Rows 1 2 3 / 4 5 6, and the same plus 6.
  EXPECT_EQ(layer_output(Permute{{2, 1}}, {2, 3}, counted(12)), (Values{1, 4, 2, 5, 3, 6, 7, 10, 8, 11, 9, 12}));
  EXPECT_EQ(output_shape(Permute{{2, 1}}, {2, 3}), (Shape{3, 2}));
  EXPECT_EQ(layer_output(Permute{{1, 2}}, {2, 3}, counted(6)), counted(6));
}

TEST(Permute, AnyOrderOfThreeAxes) {
  const Shape input = {2, 3, 4};
  for (const std::vector<std::int64_t>& dims :
       std::vector<std::vector<std::int64_t>>{{1, 3, 2}, {2, 1, 3}, {2, 3, 1}, {3, 1, 2}, {3, 2, 1}}) {
    const Values y = layer_output(Permute{dims}, input, counted(24));
    const Shape output = output_shape(Permute{dims}, input);
    std::size_t at = 0;
    std::vector<std::int64_t> index(3);  // of the input
    const auto axis = [&](std::size_t i) -> std::int64_t& { return index[static_cast<std::size_t>(dims[i] - 1)]; };
    for (axis(0) = 0; axis(0) < output[0]; ++axis(0)) {
      for (axis(1) = 0; axis(1) < output[1]; ++axis(1)) {
        for (axis(2) = 0; axis(2) < output[2]; ++axis(2))
          EXPECT_EQ(y[at++], static_cast<float>(1 + (index[0] * 3 + index[1]) * 4 + index[2])) << to_string(dims);
      }
    }
  }
}

TEST(Permute, WhatIsNoOrderOfTheAxesIsAnError) {
  for (const std::vector<std::int64_t>& dims : std::vector<std::vector<std::int64_t>>{{1}, {1, 1}, {1, 3}, {1, 2, 3}, {}}) {
    testing::expect_error(
        [&] {
          layer_output(Permute{dims, "p"}, {2, 3}, counted(6));
        },
        {"layer 'p' (Permute): dims " + to_string(dims) +
         " are not the axes of its input (None, 2, 3); give each number from 1 to 2 once"});
  }
  testing::expect_error([] { Network({Permute{{0, 1}, "p"}}, {2, 3}, 0); }, {"layer 'p' (Permute): dims is 0, it must be at least 1"});
}

TEST(RepeatVector, RepeatsTheRow) {
  EXPECT_EQ(layer_output(RepeatVector{3}, {2}, counted(4)), (Values{1, 2, 1, 2, 1, 2, 3, 4, 3, 4, 3, 4}));
  EXPECT_EQ(output_shape(RepeatVector{3}, {2}), (Shape{3, 2}));
  testing::expect_error(
      [] {
        Network({RepeatVector{3, "r"}}, {2, 2}, 0);
      },
      {"layer 'r' (RepeatVector): needs rows of shape (features), found an input of shape (None, 2, 2)"});
  testing::expect_error(
      [] {
        Network({RepeatVector{0, "r"}}, {2}, 0);
      },
      {"layer 'r' (RepeatVector): n is 0, it must be in [1, 2147483647]"});
  testing::expect_error(
      [] {
        Network({RepeatVector{2147483647, "r"}}, {2}, 0);
      },
      {"layer 'r' (RepeatVector): an output of shape ", " has more than"});
}

TEST(Reshaping, GradientsReachTheLayerBefore) {
  Network permuted({Dense{4}, Permute{{2, 1}}, Dense{2, tanh_}}, {3, 2}, 7);
  expect_numeric_gradient(permuted, 3);
  Network repeated({Dense{4}, RepeatVector{3}, Dense{2, tanh_}, Reshape{{2, 3}}, Dense{2, tanh_}}, {3}, 7);
  expect_numeric_gradient(repeated, 3);
}

}  // namespace
}  // namespace lockstep
