#include "cluster/status/status_board.h"

#include <gtest/gtest.h>

#include <atomic>
#include <cmath>
#include <thread>
#include <vector>

namespace lockstep {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using State = CheckpointOutcome::State;
constexpr milliseconds kNoWait{0};
constexpr seconds kLong{60};  // never reached when the code is right

RunInfo run_of(std::int64_t epochs, std::int64_t steps_per_epoch) {
  RunInfo info;
  info.name = "garments";
  info.epochs = epochs;
  info.steps_per_epoch = steps_per_epoch;
  info.metrics = {"loss", "accuracy"};
  return info;
}

CheckpointInfo checkpoint_at(std::int64_t step) {
  CheckpointInfo info;
  info.path = "step-" + std::to_string(step);
  info.step = step;
  return info;
}

TEST(StatusBoard, ReadersSeeTheCountersOfOneStep) {
  StatusBoard board;
  board.start(run_of(1, 100'000));
  std::atomic<bool> enough{false};
  std::atomic<std::int64_t> steps{0};
  std::thread training([&] {
    for (std::int64_t i = 1; !enough; ++i) {
      board.step(i, 2 * i, 3 * i, 4 * i);
      const double values[] = {1.0, 2.0};
      board.metrics(values);
      board.times({.compute = 1, .communication = 2, .input = 3, .other = 4});
      steps = i;
    }
  });
  std::int64_t last = 0, torn = 0, backwards = 0;
  for (int look = 0; look < 3'000'000 || steps < 200'000; ++look) {
    const Progress p = look % 100 == 0 ? board.snapshot().progress : board.progress();
    if (p.step_in_epoch != 2 * p.epoch || p.global_step != 3 * p.epoch || p.samples != 4 * p.epoch) ++torn;
    if (p.epoch < last) ++backwards;
    last = p.epoch;
  }
  enough = true;
  training.join();
  EXPECT_EQ(torn, 0);
  EXPECT_EQ(backwards, 0);
  EXPECT_EQ(board.progress().global_step, 3 * steps);
}

TEST(StatusBoard, RequestsFromManyThreadsReachTheTrainingThread) {
  StatusBoard board;
  board.start(run_of(1, 1));
  std::vector<std::thread> clients;
  std::atomic<int> written{0};
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&] {
      for (int request = 0; request < 50; ++request) {
        const auto outcome = board.wait_for_checkpoint(board.request_checkpoint(), kLong);
        written += outcome.state == State::written ? 1 : 0;
      }
    });
  }
  for (std::int64_t step = 1; written < 200; ++step) {
    board.step(1, step, step, step);
    if (board.pending().checkpoint) {
      board.checkpoint_started();
      board.checkpoint_written(checkpoint_at(step));
    }
    std::this_thread::yield();
  }
  for (std::thread& client : clients) client.join();
  EXPECT_FALSE(board.pending().any());
}

TEST(StatusBoard, MetricsAreNanBeforeTheFirstStepAndExtraOnesAreIgnored) {
  StatusBoard board;
  board.start(run_of(1, 1));
  Status status = board.snapshot();
  ASSERT_EQ(status.metrics.size(), 2u);
  EXPECT_EQ(status.metrics[1].first, "accuracy");
  EXPECT_TRUE(std::isnan(status.metrics[0].second));
  const double values[] = {0.5, 0.75, 99};
  board.metrics(values);
  status = board.snapshot();
  ASSERT_EQ(status.metrics.size(), 2u);
  EXPECT_EQ(status.metrics[0].second, 0.5);
  EXPECT_EQ(status.metrics[1].second, 0.75);
}

// 10 steps of 32 rows in 2 s: 5 steps/s, 160 rows/s; 90 steps are left of the epoch: 18 s; two more epochs at the same rate: 40 s.
TEST(StatusBoard, RatesAndEtaFromTwoLooks) {
  StatusBoard board;
  board.start(run_of(3, 100));
  board.phase(Phase::training);
  const auto t0 = std::chrono::steady_clock::now();
  Status status = board.snapshot(t0);
  EXPECT_FALSE(status.samples_per_second.has_value());
  EXPECT_FALSE(status.run_eta.has_value());
  board.step(1, 10, 10, 320);
  status = board.snapshot(t0 + seconds(2));
  EXPECT_DOUBLE_EQ(status.steps_per_second.value(), 5);
  EXPECT_DOUBLE_EQ(status.samples_per_second.value(), 160);
  EXPECT_DOUBLE_EQ(status.epoch_eta.value(), 18);
  EXPECT_DOUBLE_EQ(status.run_eta.value(), 18 + 2 * 20);
  // Epochs seen so far took 30 s with validation: later ones are expected to do so as well.
  board.epoch_end({.epoch = 1, .seconds = 30, .values = {}});
  EXPECT_DOUBLE_EQ(board.snapshot(t0 + seconds(2)).run_eta.value(), 18 + 2 * 30);
}

TEST(StatusBoard, RateFollowsTheLastTenSecondsAndRestsOutsideTraining) {
  StatusBoard board;
  board.start(run_of(1, 1000));
  board.phase(Phase::training);
  const auto t0 = std::chrono::steady_clock::now();
  board.snapshot(t0);
  for (int second = 1; second <= 20; ++second) {
    const std::int64_t step = second <= 10 ? 10 * second : 100 + 2 * (second - 10);  // 10 steps/s, then 2
    board.step(1, step, step, step);
    board.snapshot(t0 + seconds(second));
  }
  EXPECT_DOUBLE_EQ(board.snapshot(t0 + seconds(20)).steps_per_second.value(), 2);
  board.phase(Phase::validating);
  EXPECT_DOUBLE_EQ(board.snapshot(t0 + seconds(50)).steps_per_second.value(), 2);
  board.phase(Phase::training);
  board.snapshot(t0 + seconds(60));
  board.step(1, 124, 124, 124);
  EXPECT_DOUBLE_EQ(board.snapshot(t0 + seconds(61)).steps_per_second.value(), 4);
  EXPECT_DOUBLE_EQ(board.snapshot(t0 + seconds(200)).steps_per_second.value(), 0) << "a stalled run";
}

TEST(StatusBoard, CheckpointOfAnEarlierStepDoesNotAnswerARequest) {
  StatusBoard board;
  board.step(1, 100, 100, 0);
  const std::uint64_t ticket = board.request_checkpoint();
  EXPECT_TRUE(board.pending().checkpoint);
  board.checkpoint_written(checkpoint_at(99));
  EXPECT_EQ(board.wait_for_checkpoint(ticket, kNoWait).state, State::pending);
  EXPECT_TRUE(board.pending().checkpoint);
  board.checkpoint_started();
  EXPECT_FALSE(board.pending().checkpoint);
  board.step(1, 101, 101, 0);
  const std::uint64_t later = board.request_checkpoint();
  board.checkpoint_written(checkpoint_at(100));
  EXPECT_EQ(board.wait_for_checkpoint(ticket, kNoWait).checkpoint.path, "step-100");
  EXPECT_EQ(board.wait_for_checkpoint(later, kNoWait).state, State::pending);
  EXPECT_TRUE(board.pending().checkpoint) << "the later request wants another one";
  board.checkpoint_failed("disk full");
  EXPECT_EQ(board.wait_for_checkpoint(later, kNoWait).state, State::failed);
  EXPECT_EQ(board.wait_for_checkpoint(later, kNoWait).reason, "disk full");
  EXPECT_FALSE(board.pending().checkpoint);
  EXPECT_EQ(board.checkpoints().size(), 2u);
}

TEST(StatusBoard, EndAnswersEverybody) {
  StatusBoard board;
  board.start(run_of(1, 1));
  const std::uint64_t ticket = board.request_checkpoint();
  std::thread waiting([&] { EXPECT_TRUE(board.wait_for_end(kLong)); });
  std::thread saving([&] { EXPECT_EQ(board.wait_for_checkpoint(ticket, kLong).reason, "the run ended (all done)"); });
  board.finish(Phase::finished, "all done");
  waiting.join();
  saving.join();
  board.finish(Phase::failed, "too late");
  EXPECT_EQ(board.snapshot().phase, Phase::finished);
  EXPECT_EQ(board.snapshot().reason, "all done");
  EXPECT_EQ(board.wait_for_checkpoint(board.request_checkpoint(), kLong).state, State::failed);
  EXPECT_FALSE(board.request_stop("me", true));
  EXPECT_FALSE(board.pending().stop);
}

TEST(StatusBoard, StopStaysAndTellsWhetherToSave) {
  StatusBoard board;
  EXPECT_FALSE(board.pending().any());
  EXPECT_TRUE(board.request_stop("for lunch", false));
  EXPECT_TRUE(board.pending().stop);
  EXPECT_FALSE(board.pending().stop_checkpoint);
  EXPECT_TRUE(board.request_stop("for lunch, saved", true));
  EXPECT_TRUE(board.pending().stop_checkpoint);
  board.checkpoint_written(checkpoint_at(1));
  EXPECT_TRUE(board.pending().stop);
  EXPECT_EQ(board.snapshot().stop_request, "for lunch, saved");
}

TEST(StatusBoard, UnknownTicketsAreNotWaitedFor) {
  StatusBoard board;
  EXPECT_EQ(board.wait_for_checkpoint(12345, kLong).state, State::failed);
}

}  // namespace
}  // namespace lockstep
