#pragma once
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/status/status.h"

namespace lockstep {

/// Asks the coordinator of a run. Every member waits for the answer, ten seconds at most unless said otherwise, and throws an Error that
/// says what to do: coordinator not reachable, run ended, token refused.
class CoordinatorClient {
 public:
  /// By RUN_DIR/coordinator.json: over loopback on rank 0's host, over its network addresses elsewhere. An Error if the run has ended.
  static CoordinatorClient of_run(const std::filesystem::path& run_dir);
  /// By HOST:PORT. `certificate` is the PEM text of the run's certificate; without it there is no TLS, which beyond loopback has to be
  /// asked for by `insecure`, because the token crosses the network in the clear.
  static CoordinatorClient at(const std::string& host_port, const std::string& token, const std::string& certificate, bool insecure);

  ~CoordinatorClient();
  CoordinatorClient(CoordinatorClient&&) noexcept;

  /// Something the user should know about how the coordinator was found (file modes), or "".
  const std::string& warning() const;

  Status status() const;
  std::vector<EpochRecord> history() const;
  std::vector<CheckpointInfo> checkpoints() const;

  /// Calls `seen` with the status now and after every interval until it returns false or the run has ended, and returns the last status.
  /// If that one is not final, the coordinator went away and left no reason. No time limit.
  Status watch(std::chrono::milliseconds interval, const std::function<bool(const Status&)>& seen) const;

  /// Asks for a checkpoint after the current step; with `wait` returns when it is complete on disk, whatever time that takes, else at
  /// once with nothing.
  std::optional<CheckpointInfo> save_checkpoint(bool wait) const;

  /// Asks for the end after the current step. `message` says who or why.
  void stop(const std::string& message, bool with_checkpoint) const;

 private:
  struct Impl;
  explicit CoordinatorClient(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
