#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <deque>
#include <map>
#include <memory>
#include <mutex>
#include <span>
#include <string>
#include <vector>

#include "cluster/status/rate_window.h"
#include "cluster/status/status.h"

namespace lockstep {

/// What somebody outside asked of the training thread.
struct Requests {
  bool stop = false;             ///< end training after the current step
  bool stop_checkpoint = false;  ///< with stop: write a checkpoint first
  bool checkpoint = false;       ///< write a checkpoint after the current step
  bool any() const { return stop || checkpoint; }
};

/// How a checkpoint request ended, or `pending`.
struct CheckpointOutcome {
  enum class State { pending, written, failed } state = State::pending;
  CheckpointInfo checkpoint;  ///< if written
  std::string reason;         ///< if failed
};

/// What the training thread of a rank publishes and what others ask of it. Every rank has one; rank 0's is the one that the Coordinator
/// serves, the others' counters go out with their heartbeats. It outlives the Coordinator made from it.
///
/// The training loop of every rank:
///
///     board.start(info);                                     // phase: starting
///     board.phase(Phase::training);
///     each step:   board.step(...); board.metrics(...); board.times(...);
///                  requests = board.pending();               // only rank 0's say anything: send them with the step's sums to all ranks,
///                                                            // so that all act after the same step
///     checkpoint:  board.checkpoint_started(); ... write ...; board.checkpoint_written(info) or checkpoint_failed(reason)
///     epoch's end: board.epoch_end(record);
///     at the end:  board.finish(Phase::finished, "all 30 epochs done") or finish(Phase::failed, what)
///
/// All members may be called from any thread, except that start, step, metrics and times belong to one training thread.
class StatusBoard {
 public:
  StatusBoard();
  StatusBoard(const StatusBoard&) = delete;
  StatusBoard& operator=(const StatusBoard&) = delete;

  // --- training thread, before the first step ---
  void start(RunInfo info);

  // --- training thread, every step: a few atomic stores, no lock, no allocation ---
  void step(std::int64_t epoch, std::int64_t step_in_epoch, std::int64_t global_step, std::int64_t samples) noexcept;
  /// Running loss and metrics, in the order of RunInfo::metrics; further values are ignored.
  void metrics(std::span<const double> values) noexcept;
  /// Seconds since training started.
  void times(const TimeShares& seconds) noexcept;
  /// For the phases of a run that goes on; it ends by finish.
  void phase(Phase phase) noexcept { phase_.store(phase, std::memory_order_relaxed); }
  /// One relaxed load. `stop` stays once set; `checkpoint` stays until checkpoint_started, checkpoint_written or checkpoint_failed.
  Requests pending() const noexcept;

  // --- training thread (or the thread that writes checkpoints), now and then ---
  void epoch_end(EpochRecord record);
  /// The state to be saved is fixed now: requests from now on want another one. Optional where writing holds up training.
  void checkpoint_started();
  /// Lists it and completes the requests made at or before its step.
  void checkpoint_written(CheckpointInfo checkpoint);
  /// Completes all requests as failed; training goes on.
  void checkpoint_failed(const std::string& reason);
  /// `phase` is finished or failed. Requests still open fail with the reason. The first call counts.
  void finish(Phase phase, const std::string& reason);

  // --- anybody ---
  Progress progress() const noexcept;
  Phase phase() const noexcept { return phase_.load(std::memory_order_relaxed); }
  std::string reason() const;
  /// Also feeds the window behind the rates, so that they are as good as it is called often (a heartbeat does it).
  Status snapshot(std::chrono::steady_clock::time_point now = std::chrono::steady_clock::now());
  std::vector<EpochRecord> history() const;
  std::vector<CheckpointInfo> checkpoints() const;

  /// False when the run has ended.
  bool request_stop(const std::string& message, bool with_checkpoint);
  /// A ticket for wait_for_checkpoint.
  std::uint64_t request_checkpoint();
  /// Returns when the outcome is known, but after `timeout` at the latest (then `pending`).
  CheckpointOutcome wait_for_checkpoint(std::uint64_t ticket, std::chrono::milliseconds timeout);
  /// Returns true as soon as the run has ended, false after `timeout`.
  bool wait_for_end(std::chrono::milliseconds timeout);

 private:
  struct Ticket {
    std::uint64_t number;
    std::int64_t step;  // published when it was asked for
  };
  void complete(const Ticket& ticket, CheckpointOutcome outcome);
  void estimate(Status& status) const;

  // Written by the training thread alone. version_ is odd while the four counters change, so that a reader sees them of one step.
  std::atomic<std::uint64_t> version_{0};
  std::atomic<std::int64_t> epoch_{0}, step_in_epoch_{0}, global_step_{0}, samples_{0};
  std::unique_ptr<std::atomic<double>[]> metrics_;  // replaced by start alone, under the mutex
  std::size_t metric_count_ = 0;
  std::array<std::atomic<double>, 4> times_{};  // compute, communication, input, other
  std::atomic<Phase> phase_{Phase::starting};
  std::atomic<unsigned> requests_{0};  // bits: stop, stop with checkpoint, checkpoint

  mutable std::mutex mutex_;  // all below
  std::condition_variable changed_;
  RunInfo info_;
  std::string reason_, stop_message_;
  std::chrono::system_clock::time_point started_;
  std::chrono::steady_clock::time_point start_instant_, end_instant_;
  std::vector<EpochRecord> history_;
  std::vector<CheckpointInfo> checkpoints_;
  RateWindow rates_;
  std::uint64_t last_ticket_ = 0;
  std::deque<Ticket> open_tickets_;
  std::map<std::uint64_t, CheckpointOutcome> outcomes_;  // of the latest tickets
};

}  // namespace lockstep
