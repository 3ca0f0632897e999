#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/folder.h"
#include "io/checkpoint/weights_snapshot.h"

namespace lockstep {

/// Writes the checkpoints of a run from a thread of its own (at a low priority), one at a time. save() holds its caller up for the copy of
/// weights and optimizer state and no longer, unless a checkpoint is still being written: then it waits for that one; busy() tells before.
///
/// What may be gone at the next try is tried again after each of `retry_after`. A lack of room or of permission is not, and neither ends
/// anything: failed() is told, older checkpoints stay as they are, and the next save() is a new try. All events come from the writer's
/// thread.
class CheckpointWriter {
 public:
  struct Events {
    /// A whole checkpoint; seconds that writing took.
    std::function<void(const CheckpointInfo&, double)> written = [](const CheckpointInfo&, double) {};
    /// It is going to be tried again.
    std::function<void(const std::string&)> warning = [](const std::string&) {};
    std::function<void(const std::string&)> failed = [](const std::string&) {};
  };
  struct Options {
    KeepCheckpoints keep;
    std::function<void()> before_write = [] {};  ///< called before each write; an Error other than a SystemError is not tried again
    std::vector<std::chrono::milliseconds> retry_after = {std::chrono::milliseconds(200), std::chrono::milliseconds(1000),
                                                          std::chrono::milliseconds(3000)};
  };

  /// For a built and compiled model.
  CheckpointWriter(std::string run_dir, Sequential& model, Options options, Events events);
  /// Waits for the checkpoint that is being written.
  ~CheckpointWriter();
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  bool busy() const noexcept { return busy_.load(std::memory_order_acquire); }
  /// Copies the model's state and returns; `state.healthy` is what is known of the loss, the weights are looked at here.
  void save(Sequential& model, CheckpointState state);
  /// Returns when nothing is being written.
  void wait();
  /// Why the last state that was to be saved is on no disk; empty if it is. After wait().
  std::string failure() const;

 private:
  void run();
  void write(CheckpointState state);
  void try_to_write(const CheckpointState& state);
  void finished(std::string failure);

  std::string run_dir_, config_;
  Options options_;
  Events events_;
  WeightsSnapshot snapshot_;  // of the thread while busy_
  std::atomic<bool> busy_{false};
  mutable std::mutex mutex_;  // all below
  std::condition_variable changed_;
  std::optional<CheckpointState> asked_;
  bool ending_ = false;
  std::string failure_;
  std::thread thread_;
};

}  // namespace lockstep
