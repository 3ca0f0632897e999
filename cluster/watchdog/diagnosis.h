#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/activity.h"

namespace lockstep {

/// What is known of a rank at one instant.
struct RankState {
  int rank = 0;
  std::string host;
  std::int64_t pid = 0;
  std::int64_t step = 0;  ///< global steps done
  Stage stage = Stage::starting;
  std::uint64_t beats = 0;
  double quiet = 0;    ///< seconds since it last got on
  double unheard = 0;  ///< seconds since its last heartbeat, or since it was seen on this host
  char process = '?';  ///< its state, see process_state
  bool leaving = false;
  /// What its log or its host tell of its end. Of a rank that runs: the connection that it waits to read from (connection_waited_for).
  std::string note;
};

inline bool has_ended(const RankState& rank) { return rank.process == 'X' || rank.process == 'Z'; }
inline bool is_stopped(const RankState& rank) { return rank.process == 'T' || rank.process == 't'; }

/// The rank that holds the job up, and why.
struct Diagnosis {
  int rank = 0;
  std::string host;
  std::int64_t step = 0;  ///< of the job: what the furthest rank has done; the last that was heard of this one may be old
  std::string text;
};

/// Which rank it is, from the surest sign to the weakest: its process has ended; is stopped; it is unheard for `unreachable` seconds; it
/// is at a stage of its own work while others wait; it is behind in steps; else nobody, and the ranks wait for each other. `why`: what
/// made somebody ask, e.g. "nothing has moved for 61 s". Ranks must not be empty.
Diagnosis diagnose(const std::vector<RankState>& ranks, double unreachable, const std::string& why);

}  // namespace lockstep
