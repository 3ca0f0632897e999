#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "cluster/activity.h"
#include "cluster/error.h"

namespace lockstep {

/// The ranks of a job and what they need to agree on things. A World made by the default constructor is this process alone: rank 0 of 1,
/// every collective returns at once and MPI is never touched. Session (cluster/run.h) makes the world of an MPI job.
///
/// Members marked Collective must be called by all ranks, in the same order. The step exchanges gradients
/// by Exchange; of these members it uses sum() alone, for layers that need sums over the batch. Only one thread of a rank may use a World.
class World {
 public:
  World();
  ~World();
  World(World&&) noexcept;
  World& operator=(World&&) noexcept;

  int rank() const { return rank_; }
  int size() const { return size_; }
  /// Ranks of this rank's host are local_rank() = 0 .. local_size() - 1.
  int local_rank() const { return local_rank_; }
  int local_size() const { return local_size_; }
  /// Number of different hosts (shared-memory domains) in the job.
  int hosts() const { return hosts_; }
  const std::string& hostname() const { return hostname_; }
  /// What this rank is doing, for the watchdog and the crash report. Told by whoever does it.
  Activity& activity() const { return *activity_; }

  /// Collective.
  void barrier() const;
  /// Collective. Copies root's bytes into everybody's `data`; all ranks pass the same number of bytes.
  void broadcast(std::span<std::byte> data, int root = 0) const;
  /// Collective. Root's text on every rank.
  std::string broadcast(const std::string& text, int root = 0) const;
  /// Collective. Element-wise sum over ranks, added in order of rank, so that every rank holds the same bits.
  void sum(std::span<double> values) const;
  void sum(std::span<std::int64_t> values) const;
  /// Collective. Element r is rank r's text.
  std::vector<std::string> all_gather(const std::string& text) const;
  /// Collective. Row blocks of different lengths, joined in order of rank, on every rank.
  std::vector<float> all_gather(std::span<const float> values) const;

  /// Collective. Runs `work` on every rank; if it throws on any, every rank throws AgreedError with the message of the lowest rank that
  /// failed, so that a bad file on one rank ends the job in an orderly way instead of leaving the others in a collective. `work` itself
  /// must not be collective.
  void agree(const std::function<void()>& work) const;

  /// The MPI_Comm behind this world (as a pointer, so that no header needs <mpi.h>); null for a world without MPI.
  const void* communicator() const;
  /// Collective. The world of an MPI_Comm (given as a pointer to it), which is duplicated; for programs that run Lockstep on some of their
  /// ranks.
  static World over(const void* communicator);

 private:
  struct Impl;
  explicit World(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
  int rank_ = 0, size_ = 1, local_rank_ = 0, local_size_ = 1, hosts_ = 1;
  std::string hostname_;
  std::unique_ptr<Activity> activity_ = std::make_unique<Activity>();
};

/// An error that all ranks know of (World::agree): one rank prints it, all leave in good order.
class AgreedError : public Error {
 public:
  AgreedError(const std::string& message, ExitCode code, int failing_rank, const std::string& failing_host)
      : Error(message, code), failing_rank_(failing_rank), failing_host_(failing_host) {}
  int failing_rank() const { return failing_rank_; }
  const std::string& failing_host() const { return failing_host_; }

 private:
  int failing_rank_;
  std::string failing_host_;
};

/// Thrown on all ranks at the same point, with the work done: they leave in good order with this exit code and no message.
struct AgreedExit {
  ExitCode code;
};

}  // namespace lockstep
