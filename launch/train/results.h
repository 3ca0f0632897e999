#pragma once
#include <cstdint>
#include <functional>
#include <string>

#include "cluster/watchdog/signals.h"
#include "cluster/world.h"
#include "core/training/callbacks.h"
#include "core/training/sequential.h"
#include "io/run/result.h"
#include "io/run/run_directory.h"
#include "launch/train/checkpoint_callback.h"

namespace lockstep {

/// What fit() has left behind. As a callback of it, remembers what is gone when it returns.
class TrainingOutcome final : public Callback {
 public:
  void on_train_begin(const FitState& state) override;
  void on_train_batch_end(const FitState& state) override;
  void on_epoch_end(const FitState& state, Logs& logs) override;
  void on_train_end(const FitState& state, const Logs& last) override;

  FitState last;                 ///< at the end of training
  std::int64_t steps = 0;        ///< of this start
  std::int64_t samples = 0;      ///< of this start, all ranks
  std::int64_t total_steps = 0;  ///< of all starts
  double first_step = 0;         ///< seconds of the process when the first step was done
  std::int64_t memory = 0;       ///< bytes when training was over, shared pages divided among the ranks

  History history;     ///< of all starts; the caller's to set, as is what follows
  double seconds = 0;  ///< of fit()
  /// Ended before all epochs were done.
  bool stopped() const { return history.epoch.empty() || history.epoch.back() + 1 < last.epochs; }

 private:
  std::int64_t steps_before_ = 0;
};

/// "all 30 epochs done", "stopped on request", "interrupted by SIGTERM (rank 0) ...". Collective.
std::string how_it_ended(const TrainingOutcome& outcome, const StopSignals& signals, const World& world);

/// Writes what is left of a training that is over: history.csv, model.keras, result.json. For rank 0.
class ResultWriter {
 public:
  ResultWriter(const RunDirectory& directory, HistoryCsv& history, const CheckpointCallback& checkpoints)
      : directory_(directory), history_(history), checkpoints_(checkpoints) {}

  /// All that can be written is; failures() tells what could not. result.json comes last: where it says that all epochs are done, the rest
  /// is there.
  void write(Sequential& model, const RunResult& result);
  /// result.json alone, once more. It tells of what could not be written before it.
  void write(RunResult result);

  const std::string& failures() const { return failures_; }
  /// Why nothing can be written any more: the directory is gone, or another run has it.
  const std::string& lost() const { return lost_; }

 private:
  bool is_lost();
  void attempt(const std::function<void()>& work);

  const RunDirectory& directory_;
  HistoryCsv& history_;
  const CheckpointCallback& checkpoints_;
  std::string failures_, lost_;
};

/// The lines that tell a person how a training went. `trace`: its file, or nothing.
void print_end(const RunResult& result, const std::string& trace);

}  // namespace lockstep
