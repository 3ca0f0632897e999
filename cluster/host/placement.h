#pragma once
#include <string>
#include <vector>

#include "cluster/world.h"

namespace lockstep {

/// Cores this process may use: its affinity mask, cut to the cgroup's CPU quota (at least 1).
int usable_cores();

/// Cores that the ranks of this host may use together: the union of their masks, cut to the quota (at least 1). Collective.
int host_cores(const World& world);

/// Threads for a rank whose cores are `own`: every core counts 1 / (number of ranks in `masks` that may use it), at least 1 thread. So
/// ranks that share all cores divide them, and ranks bound to cores of their own keep them. `masks` has every rank of the host, this one
/// included.
int fair_threads(const std::vector<int>& own, const std::vector<std::vector<int>>& masks);

/// OpenMP threads of this rank: `wanted` if > 0, else OMP_NUM_THREADS if the user has set it, else its fair share. Collective.
int threads_for_rank(const World& world, int wanted);

/// Whether a rank with `threads` threads has less than its fair share of the cores. Collective.
bool has_spare_core(const World& world, int threads);

/// One rank's line of the start-up table.
struct RankPlace {
  int rank;
  std::string host;
  long pid;
  int cores, threads;
  int host_cores = 0;          ///< that the ranks of its host may use together
  int job_cores = 0;           ///< that the host has for this job, whatever the rank is bound to; its quota not considered
  std::vector<int> mask = {};  ///< cores that the rank is bound to
};

/// All ranks' places, on every rank. Collective.
std::vector<RankPlace> rank_places(const World& world, int threads);

/// The cores that this process is bound to.
std::vector<int> own_mask();
/// The cores that this process could be bound to: those of its cpuset. Where Slurm keeps no cpusets, as many as SLURM_CPUS_ON_NODE says.
std::vector<int> cores_of_job();

/// A warning if the user has asked for more threads than a rank has cores; "" if not.
std::string too_many_threads(const std::vector<RankPlace>& places);

/// A process of another job that is bound to cores of this process and has used a tenth of a core or more, as text: "pid 4242 (lockstep),
/// which used 48 % of a core since it started". "": there is none, or this process is not bound. `own`: pids of this job's ranks. Reads all
/// of /proc.
std::string rival_on_cores(const std::vector<long>& own);

}  // namespace lockstep
