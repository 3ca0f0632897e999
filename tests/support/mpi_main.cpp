// main of the multi-process tests: all ranks run all tests in the same order, and a test counts as failed if it failed on any rank. After a
// failure the job is aborted at once, since the ranks may no longer agree on which collective comes next.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

#include "support/mpi_world.h"

namespace lockstep::test {
namespace {

World* the_world = nullptr;
Session* the_session = nullptr;

/// Prints failures of any rank with its number; ends the job after a test that failed anywhere.
class RankListener final : public testing::EmptyTestEventListener {
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    std::fprintf(stderr, "[rank %d] %s:%d: %s\n", the_world->rank(), result.file_name() == nullptr ? "?" : result.file_name(), result.line_number(),
                 result.message());
    std::fflush(stderr);
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Failed()) {
      std::fprintf(stderr, "[rank %d] FAILED %s.%s\n", the_world->rank(), test.test_suite_name(), test.name());
      the_session->abort(kFailed);
    }
    the_world->barrier();  // ranks that wait here are ended by the abort of the one that failed
  }
};

}  // namespace

const World& world() { return *the_world; }

}  // namespace lockstep::test

int main(int argc, char** argv) {
  testing::InitGoogleTest(&argc, argv);
  lockstep::Session session(argc, argv);
  lockstep::test::the_session = &session;
  lockstep::test::the_world = &session.world();
  testing::TestEventListeners& listeners = testing::UnitTest::GetInstance()->listeners();
  if (session.world().rank() != 0) delete listeners.Release(listeners.default_result_printer());
  listeners.Append(new lockstep::test::RankListener);
  return RUN_ALL_TESTS();
}
