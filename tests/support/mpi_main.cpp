// main of the multi-process tests: all ranks run all tests in the same order, and a test counts as failed if it failed on any rank. After a
// test that failed the job is aborted, since the ranks may no longer agree on which collective comes next; after a fatal failure at once,
// since destructors may be collective too.
#include <gtest/gtest.h>

#include <cstdio>
#include <memory>
#include <string>

#include "cluster/run.h"
#include "support/mpi_world.h"

namespace lockstep::test {
namespace {

World* the_world = nullptr;
Session* the_session = nullptr;

/// Prints failures of any rank with its number; ends the job after a test that failed anywhere. A single rank goes on with the next test.
class RankListener final : public testing::EmptyTestEventListener {
  void OnTestStart(const testing::TestInfo& test) override { test_ = std::string(test.test_suite_name()) + "." + test.name(); }
  // GoogleTest holds its mutex here: asking it for the current test would wait for ever.
  void OnTestPartResult(const testing::TestPartResult& result) override {
    if (!result.failed()) return;
    const char* const file = result.file_name() == nullptr ? "?" : result.file_name();
    std::fprintf(stderr, "[rank %d] %s, %s:%d: %s\n", the_world->rank(), test_.c_str(), file, result.line_number(), result.message());
    std::fflush(stderr);
    if (result.fatally_failed() && the_world->size() > 1) the_session->abort(kFailed);
  }
  void OnTestEnd(const testing::TestInfo& test) override {
    if (test.result()->Failed() && the_world->size() > 1) the_session->abort(kFailed);
    the_world->barrier();  // ranks that wait here are ended by the abort of the one that failed
  }

  std::string test_;
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
