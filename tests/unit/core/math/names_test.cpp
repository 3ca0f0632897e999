#include "core/math/names.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

// As keras.src.utils.naming.to_snake_case of Keras 3.15.1 writes them.
TEST(Names, OfClassesInSnakeCaseAreKeras) {
  EXPECT_EQ(snake_case("Dense"), "dense");
  EXPECT_EQ(snake_case("BatchNormalization"), "batch_normalization");
  EXPECT_EQ(snake_case("GlobalAveragePooling2D"), "global_average_pooling2d");
  EXPECT_EQ(snake_case("Conv2DTranspose"), "conv2d_transpose");
  EXPECT_EQ(snake_case("DepthwiseConv2D"), "depthwise_conv2d");
  EXPECT_EQ(snake_case("ReLU"), "re_lu");
  EXPECT_EQ(snake_case("PReLU"), "p_re_lu");
  EXPECT_EQ(snake_case("ELU"), "elu");
  EXPECT_EQ(snake_case("RMSNormalization"), "rms_normalization");
  EXPECT_EQ(snake_case("L1L2"), "l1l2");
  EXPECT_EQ(snake_case("glorot_uniform"), "glorot_uniform");
  EXPECT_EQ(snake_case(""), "");
}

}  // namespace
}  // namespace lockstep
