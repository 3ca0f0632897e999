#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cluster/status/status_board.h"
#include "cluster/watchdog/rank_log.h"
#include "cluster/watchdog/signals.h"
#include "core/training/callbacks.h"

namespace lockstep {

/// Publishes fit()'s progress on a StatusBoard and passes on a stop that was asked of it (a checkpoint: CheckpointCallback), and what
/// signals ask for: both.
class BoardCallback final : public Callback {
 public:
  BoardCallback(StatusBoard& board, const StopSignals& signals) : board_(board), signals_(signals) {}
  void on_train_begin(const FitState& state) override;
  void on_epoch_begin(const FitState& state) override;
  void on_train_batch_end(const FitState& state) override;
  void on_test_begin(const FitState&) override { board_.phase(Phase::validating); }
  void on_epoch_end(const FitState& state, Logs& logs) override;
  Request request() noexcept override;

 private:
  void publish(const FitState& state, std::chrono::steady_clock::time_point now);

  StatusBoard& board_;
  const StopSignals& signals_;
  std::chrono::steady_clock::time_point published_, epoch_start_;
  std::int64_t samples_before_ = 0;  // of the epochs that are over
};

/// What a rank's log tells of a run that goes well.
class RankLogCallback final : public Callback {
 public:
  explicit RankLogCallback(const RankLog& log) : log_(log) {}
  void on_train_begin(const FitState& state) override;
  void on_test_begin(const FitState& state) override;
  void on_epoch_end(const FitState& state, Logs& logs) override;
  double on_checkpoint(const FitState& state, const CheckpointMoment& moment) override;
  void on_train_end(const FitState& state, const Logs& last) override;

 private:
  const RankLog& log_;
};

/// The history of a run that was resumed: `before`, cut to the epochs before those of `after`, and `after`. A value that only one of them
/// has is NaN in the epochs of the other.
History joined(const History& before, const History& after);

}  // namespace lockstep
