#include "core/layers/preprocessing/center_crop.h"

#include <gtest/gtest.h>

#include "support/layers/layer_output.h"
#include "support/throws.h"

namespace lockstep {
namespace {

using test::counted;
using test::layer_output;
using Values = std::vector<float>;

TEST(CenterCrop, KeepsTheMiddle) {
  EXPECT_EQ(layer_output(CenterCrop{1, 2}, {3, 4, 1}, counted(12)), (Values{6, 7}));
  EXPECT_EQ(layer_output(CenterCrop{1, 1}, {2, 4, 2}, counted(16)), (Values{3, 4}));  // row 0, column 1: the odd pixel goes at the end
  EXPECT_EQ(layer_output(CenterCrop{3, 4}, {3, 4, 1}, counted(12)), counted(12));
}

TEST(CenterCrop, OneThatIsLargerThanItsInputIsAnError) {
  testing::expect_error(
      [] {
        Network({CenterCrop{.height = 3, .width = 2, .name = "c"}}, {2, 2, 1}, 0);
      },
      {"layer 'c' (CenterCrop): is larger, 3 x 2, than its input (None, 2, 2, 1); give at most"});
  testing::expect_error(
      [] {
        Network({CenterCrop{.height = 0, .width = 2, .name = "c"}}, {2, 2, 1}, 0);
      },
      {"layer 'c' (CenterCrop): height is 0, it must be in [1, 2147483647]"});
  testing::expect_error(
      [] {
        Network({CenterCrop{.height = 1, .width = 1, .name = "c"}}, {2, 2}, 0);
      },
      {"layer 'c' (CenterCrop): needs rows of shape (height, width, channels)"});
}

}  // namespace
}  // namespace lockstep
