#include "cluster/watchdog/crash_report.h"

#include <gtest/gtest.h>

#include <csignal>
#include <cstdlib>
#include <thread>

namespace lockstep {
namespace {

#ifndef LOCKSTEP_SANITIZE  // whose own report follows, with another exit code

/// Overflows the stack, as a library does that follows the groups of a damaged file round and round.
int deeper(volatile int* above) {
  volatile int here[1024];
  here[0] = *above + 1;
  if (here[0] > 100'000'000) return 0;
  return deeper(here) + here[0];
}

TEST(CrashReportDeathTest, SaysWhatWasRead) {
  const ::testing::ExitedWithCode failed(1);
  report_crashes("lockstep: ");
  const Reading outer("model.keras");
  for (const int number : {SIGSEGV, SIGBUS, SIGFPE, SIGABRT}) {
    EXPECT_EXIT(raise(number), failed,
                "^lockstep: model.keras: crashed \\(SIG[A-Z]*\\) while reading the file: the file is most likely damaged");
  }
  {
    const Reading inner("a.h5", "attribute", "class_names", "/");
    EXPECT_EXIT(std::abort(), failed, "^lockstep: a.h5: crashed \\(SIGABRT\\) while reading attribute 'class_names' of '/': ");
  }
  EXPECT_EXIT(std::abort(), failed, "model.keras");
  volatile int zero = 0;
  EXPECT_EXIT(deeper(&zero), failed, "^lockstep: model.keras: crashed \\(SIGSEGV\\)");
}

TEST(CrashReportDeathTest, ARankSpeaksForItselfAndItsThreads) {
  EXPECT_EXIT(
      {
        report_crashes("[rank 0 on h1] ");
        std::thread([] {
          const Reading reading("a.h5", "data set", "/train/x");
          raise(SIGSEGV);
        }).join();
      },
      ::testing::ExitedWithCode(1), "^\\[rank 0 on h1\\] a.h5: crashed \\(SIGSEGV\\) while reading data set '/train/x': ");
}

#endif

TEST(CrashReportDeathTest, WithoutAReadingACrashTakesItsCourse) {
  report_crashes("lockstep: ");
  { const Reading over("a.h5"); }
  EXPECT_EXIT(std::abort(), ::testing::KilledBySignal(SIGABRT), "^$");
}

}  // namespace
}  // namespace lockstep
