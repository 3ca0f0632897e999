#pragma once
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "cluster/signals.h"
#include "cluster/status_board.h"
#include "core/callbacks.h"
#include "io/config.h"
#include "io/run_directory.h"

namespace lockstep {

/// Publishes fit()'s progress on a StatusBoard and passes on what was asked of it, stop and checkpoint, and what signals ask for: both.
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

/// Rank 0: writes checkpoints at the end of epochs and when asked for; tells the board. A failure is a warning, training goes on.
class CheckpointCallback final : public Callback {
 public:
  /// `before`: history of the run that this one resumes.
  CheckpointCallback(const RunConfig& config, const RunDirectory& directory, StatusBoard& board, const History& before)
      : config_(config), directory_(directory), board_(board), before_(before) {}
  void on_epoch_end(const FitState& state, Logs& logs) override;
  void on_checkpoint(const FitState& state) override;
  double checkpoint_seconds() const override { return seconds_; }

 private:
  /// The state after `step` steps of epoch `epoch` (0-based).
  void save(const FitState& state, std::int64_t epoch, std::int64_t step);

  const RunConfig& config_;
  const RunDirectory& directory_;
  StatusBoard& board_;
  const History& before_;
  double seconds_ = 0;
};

/// The history of a run that was resumed: `before`, cut to the epochs before those of `after`, and `after`.
History joined(const History& before, const History& after);

}  // namespace lockstep
