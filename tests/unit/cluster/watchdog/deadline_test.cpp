#include "cluster/watchdog/deadline.h"

#include <gtest/gtest.h>

#include <future>

#include "cluster/error.h"

namespace lockstep {
namespace {

TEST(Deadline, EndsTheProcessWithItsMessageWhenItIsMissed) {
  testing::FLAGS_gtest_death_test_style = "threadsafe";
  EXPECT_EXIT(
      {
        const Deadline deadline(0.01, 0.02, "MPI_Init has not returned");
        std::promise<void>().get_future().wait();
      },
      testing::ExitedWithCode(kFailed), "^MPI_Init has not returned; waiting\nMPI_Init has not returned; ending\n$");
}

TEST(Deadline, IsForgottenOnceItIsMet) {
  { const Deadline deadline(3600, 7200, "late"); }  // returns at once
  { const Deadline again(3600, 7200, "late"); }
}

}  // namespace
}  // namespace lockstep
