#include "cluster/status/rank_table.h"

namespace lockstep {

RankTable::RankTable(int ranks) : rows_(static_cast<std::size_t>(ranks)) {
  for (int rank = 0; rank < ranks; ++rank) rows_[static_cast<std::size_t>(rank)].status.rank = rank;
}

bool RankTable::update(const RankStatus& heartbeat) {
  const std::lock_guard lock(mutex_);
  if (heartbeat.rank < 0 || static_cast<std::size_t>(heartbeat.rank) >= rows_.size()) return false;
  rows_[static_cast<std::size_t>(heartbeat.rank)] = {heartbeat, std::chrono::steady_clock::now(), true};
  return true;
}

std::vector<RankStatus> RankTable::rows() const {
  const auto now = std::chrono::steady_clock::now();
  const std::lock_guard lock(mutex_);
  std::vector<RankStatus> rows;
  for (const Row& row : rows_) {
    rows.push_back(row.status);
    rows.back().age.reset();
    if (row.seen) rows.back().age = std::chrono::duration<double>(now - row.arrived).count();
  }
  return rows;
}

}  // namespace lockstep
