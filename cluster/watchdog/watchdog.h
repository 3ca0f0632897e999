#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "cluster/watchdog/diagnosis.h"

namespace lockstep {

class RankLog;
class StopSignals;
class World;

/// Sees to it that no job hangs. A thread of every rank looks ten times a second at where the main thread stands (World::activity), at the
/// other ranks of its host, through memory that they share and their process states, and at the launcher; heartbeats, outside MPI, carry
/// that to rank 0. When no rank of the job has moved for `timeout` seconds beyond the slowest recent step, or one has died, rank 0 says in
/// one message which rank it is, where it stood and why, and ends the job: MPI_Abort, and by force what is left of it after six seconds. (A
/// rank that writes or opens files may take ten times as long.) When rank 0 does not answer either, the lowest rank of every host that is
/// left does it for its host. A rank that only waits costs nothing; a step costs a few relaxed stores.
class Watchdog {
 public:
  struct Options {
    double timeout = 60;                   ///< seconds
    const StopSignals* signals = nullptr;  ///< outlives this; tells that the launcher ends the job
  };
  /// What a heartbeat carries: the rank, and ranks of its host that cannot speak for themselves.
  struct Heartbeat {
    RankState own;
    std::vector<RankState> silent;
  };
  /// What rank 0 replies.
  struct HeartbeatReply {
    std::string verdict;  ///< the job ends for this; empty while it goes on
    RankState zero;       ///< rank 0 itself
  };

  /// Collective.
  Watchdog(const World& world, const Options& options);
  /// Collective, save by an exception.
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  // --- main thread ---
  void timeout(double seconds);
  /// Its words go there too; before the log's end, null.
  void log_to(const RankLog* log);
  /// Called with what the job ends for, once, before it does, on the rank that tells it.
  void on_verdict(std::function<void(const Diagnosis&)> hook);
  /// This rank ends with an error that it tells itself: nobody else shall. Waits up to half a second until rank 0 has heard it.
  void leaving(const std::string& error);
  /// The work is done: no deadline any more.
  void rest();

  // --- threads of the heartbeats ---
  Heartbeat heartbeat() const;
  /// Rank 0: from another rank or itself.
  HeartbeatReply heard(const Heartbeat& heartbeat);
  /// Other ranks: rank 0 has answered.
  void answered(const HeartbeatReply& reply);
  /// `news` is called when there is something to tell before the next heartbeat is due, `interval` seconds after the last; null ends that.
  void on_news(std::function<void()> news, double interval);

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
