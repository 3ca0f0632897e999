#include "cluster/error.h"

#include <gtest/gtest.h>

namespace lockstep {
namespace {

TEST(Error, CarriesMessageAndExitCode) {
  const Error error("train.h5: no data set 'x'", kUsage);
  EXPECT_STREQ(error.what(), "train.h5: no data set 'x'");
  EXPECT_EQ(error.exit_code(), 2);
}

}  // namespace
}  // namespace lockstep
