#pragma once
#include <chrono>
#include <mutex>
#include <vector>

#include "cluster/status/status.h"

namespace lockstep {

/// The last heartbeat of every rank. Any thread may call any member.
class RankTable {
 public:
  explicit RankTable(int ranks);

  /// False if there is no such rank.
  bool update(const RankStatus& heartbeat);
  /// One row per rank, with the age of its heartbeat.
  std::vector<RankStatus> rows() const;

 private:
  struct Row {
    RankStatus status;
    std::chrono::steady_clock::time_point arrived;
    bool seen = false;
  };
  mutable std::mutex mutex_;
  std::vector<Row> rows_;
};

}  // namespace lockstep
