#include "launch/train/run_limits.h"

#include "cluster/host/process_limits.h"

namespace lockstep {
namespace {

// Threads beside those that train and MPI's: fewer than a run was seen to fail with. Rank 0 writes checkpoints, and serves.
constexpr int kWriters = 3, kServers = 11, kClients = 4;
// Address space of the server beside stacks: its buffers, and two arenas of malloc, which MPI has taken before if it is there.
constexpr double kServerSpace = 24.0 * (1 << 20), kArenas = 120.0 * (1 << 20);

/// Files open at the same time: data, logs, what MPI has for each rank of the host; of the coordinator, a connection to each rank.
int open_files(const World& world, bool serves) {
  const int alone = world.size() == 1 ? 9 : 21 + world.local_size();
  if (!serves) return alone;
  return world.size() == 1 ? 17 : 25 + world.local_size() + world.size();
}

}  // namespace

void check_rank_limits(const World& world, int threads, bool coordinator) {
  const bool serves = coordinator && world.rank() == 0;
  const int more = threads - 1 + (world.rank() == 0 ? kWriters : 0) + (serves ? kServers : coordinator ? kClients : 0);
  check_open_files(open_files(world, serves));
  const double server = serves ? kServerSpace + (world.size() == 1 ? kArenas : 0) : 0;
  check_address_space(more * thread_stack() + server, more * thread_stack(),
                      coordinator ? "a run with the coordinator (--set coordinator.enabled=false goes without)" : "a run");
  check_threads(more);
}

}  // namespace lockstep
