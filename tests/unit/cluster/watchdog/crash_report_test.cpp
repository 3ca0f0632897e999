#include "cluster/watchdog/crash_report.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <csignal>
#include <cstdlib>
#include <string>
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

// A pipe as stderr that is full, and that nobody reads.
void block_stderr() {
  int ends[2];
  if (pipe2(ends, O_NONBLOCK) != 0) _exit(2);
  const std::string text(4096, 'x');
  while (write(ends[1], text.data(), text.size()) > 0) continue;
  fcntl(ends[1], F_SETFL, 0);
  dup2(ends[1], STDERR_FILENO);
}

TEST(CrashReportDeathTest, EndsThoughNobodyReadsTheReport) {
  EXPECT_EXIT(
      {
        report_crashes("lockstep: ");
        const Reading reading("a.h5");
        block_stderr();
        alarm(60);  // otherwise a write that blocks would end with the test's own timeout
        raise(SIGSEGV);
      },
      ::testing::ExitedWithCode(1), "^$");
}

#endif

TEST(CrashReportDeathTest, WithoutAReadingACrashTakesItsCourse) {
  report_crashes("lockstep: ");
  { const Reading over("a.h5"); }
  EXPECT_EXIT(std::abort(), ::testing::KilledBySignal(SIGABRT), "^$");
}

}  // namespace
}  // namespace lockstep
