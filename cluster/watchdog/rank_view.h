#pragma once
#include <array>
#include <atomic>
#include <chrono>
#include <cstdint>
#include <optional>
#include <vector>

#include "cluster/host/process_state.h"
#include "cluster/host/shared_memory.h"
#include "cluster/watchdog/diagnosis.h"
#include "cluster/world.h"

namespace lockstep {

class RankLog;

/// What one rank tells the others of its host, in memory that they share.
struct RankCell {
  ActivityCell activity;
  std::atomic<int> host{0};                      ///< the host's number; only in the cell of the host's first rank
  std::atomic<std::uint32_t> waits_for_peer{0};  ///< `peer` is written and true
  std::array<char, 120> peer{};                  ///< connection_waited_for, as the rank itself sees it
};

/// The ranks of a job as one of them sees them: those of its host through the memory that they share and their process states, the others
/// through heartbeats: rank 0 hears all, everybody hears rank 0. Not thread-safe.
class RankView {
 public:
  using Clock = std::chrono::steady_clock;

  /// Collective. World::activity() is told in shared memory from now on.
  explicit RankView(const World& world);
  /// Collective, save by an exception.
  ~RankView();
  RankView(const RankView&) = delete;
  RankView& operator=(const RankView&) = delete;

  /// Looks at the ranks of this host; true: one of them has ended or stopped since the last look.
  bool look(Clock::time_point now);
  /// This process was stopped for so long, and does not count that.
  void shift(Clock::duration time);
  /// Rank 0: from a rank of another host, about `itself` or another one of its host.
  void hear(const RankState& state, bool itself, Clock::time_point now);
  /// Other ranks: rank 0 has answered.
  void answer(const RankState& zero, Clock::time_point now);

  /// Everything known, with ages. `log`: where the notes on the dead are looked for, or null.
  std::vector<RankState> states(Clock::time_point now, const RankLog* log) const;
  /// This rank now, not as of the last look.
  RankState own() const;
  const RankState& of(int rank) const { return table_[static_cast<std::size_t>(rank)].state; }
  /// Ended or stopped ranks of this host.
  std::vector<RankState> silent(Clock::time_point now, const RankLog* log) const;

  /// Whether this rank has to find out what is wrong: rank 0, or where that one has not answered for `patience` seconds the lowest of the
  /// host that can.
  bool in_charge(Clock::time_point now, double patience) const;
  /// When rank 0's whole host is silent, one rank of the others speaks for it.
  bool speaks_for_zero() const;
  /// Whether heartbeats arrive, so that silence means something.
  bool attached() const { return attached_; }
  void leave() { cell_->leaving.store(1); }
  const std::vector<ProcessHandle>& processes() const { return processes_; }

 private:
  struct Entry {
    RankState state;
    Clock::time_point changed, heard;
    const RankCell* cell = nullptr;  // of a rank of this host
    std::size_t process = 0;         // of it, in processes_
  };
  int host_number();
  void look_at_itself(Clock::time_point now);
  std::string note_on(int rank, const RankLog* log) const;

  const World& world_;
  SharedMemory cells_;                    // a cell for each rank of this host
  RankCell* own_;                         // this rank's
  ActivityCell* cell_;                    // in it
  std::vector<ProcessHandle> processes_;  // ranks of this host
  std::vector<Entry> table_;
  std::optional<std::int64_t> kills_;  // for want of memory, when it started
  Clock::time_point answered_;
  bool attached_ = false;
};

}  // namespace lockstep
