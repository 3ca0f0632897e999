#pragma once
#include <chrono>
#include <memory>
#include <optional>
#include <string>

#include "cluster/status/status_board.h"
#include "core/training/callbacks.h"
#include "io/checkpoint/folder.h"
#include "io/checkpoint/writer.h"
#include "io/config/config.h"
#include "io/run/run_directory.h"
#include "launch/train/data_identity.h"

namespace lockstep {

/// Rank 0: writes checkpoints as the configuration says, when asked for through the board, and when training is stopped; tells the board. A
/// failure is a warning, training goes on.
///
/// One that falls due (by steps, by time, on request) while another is still being written is taken after the first step at which the
/// writer is free. At the end of an epoch, at a stop and at the end training waits for the writer instead: these states are not passed
/// over. The checkpoint of an epoch is taken after all callbacks have seen its end. A checkpoint taken before large data sets are compared
/// (DataIdentity) has no digest of them.
class CheckpointCallback final : public Callback {
 public:
  /// `before`: history of the run that this one resumes; `constant`: what all checkpoints of the run say alike of bits and rows;
  /// `data`: what is known of the data sets.
  CheckpointCallback(const RunConfig& config, const RunDirectory& directory, StatusBoard& board, const History& before,
                     CheckpointState constant, const DataIdentity& data);
  void on_train_begin(const FitState& state) override;
  void on_train_batch_end(const FitState& state) override { global_step_ = state.global_step; }
  void on_epoch_begin(const FitState&) override { epoch_over_ = false; }
  Request request() noexcept override;
  double on_checkpoint(const FitState& state, const CheckpointMoment& moment) override;
  void on_epoch_end(const FitState& state, Logs& logs) override;
  void on_train_end(const FitState& state, const Logs& last) override;

  /// Why the newest state that was to be saved is on no disk; empty if it is. After the training.
  std::string failure() const { return writer_ ? writer_->failure() : ""; }
  /// Rows of all ranks and seconds of training so far, over all starts of the run; empty if a checkpoint of an earlier Lockstep does not
  /// tell.
  std::optional<std::int64_t> samples() const { return samples_; }
  std::optional<double> seconds() const;

 private:
  bool scheduled() const;
  bool lost() const;
  bool saves_epoch(std::int64_t number) const;
  CheckpointState describe(const FitState& state) const;
  double save(const FitState& state, CheckpointState saved, double gathering);
  void make_writer(const FitState& state);
  void warn(const std::string& what) const;

  const RunConfig& config_;
  const RunDirectory& directory_;
  StatusBoard& board_;
  const History& before_;
  const CheckpointState constant_;
  const DataIdentity& data_;
  KeepCheckpoints keep_;
  std::unique_ptr<CheckpointWriter> writer_;  // from the first checkpoint that can be foreseen
  std::int64_t global_step_ = 0;
  std::optional<std::int64_t> samples_;          // of the epochs that are over
  std::chrono::steady_clock::time_point start_;  // of fit()
  bool due_ = false;
  bool epoch_over_ = false;                      // until the next one begins
  bool epoch_due_ = false;                       // the epoch that is over is to be saved
  bool lost_ = false;                            // the run directory
  bool healthy_ = true;                          // the loss of the last epoch that is over was finite
  std::chrono::steady_clock::time_point saved_;  // the last one
};

}  // namespace lockstep
