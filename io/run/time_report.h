#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "cluster/host/placement.h"
#include "cluster/world.h"
#include "core/training/callbacks.h"

namespace lockstep {

/// Where the wall time of a training went, as parts that add up to 1.
struct TimeParts {
  double compute = 0;        ///< forward, loss, backward, gradients, optimizer
  double communication = 0;  ///< waiting for and exchanging with other ranks: what compute does not hide
  double input = 0;          ///< waiting for rows and copying them
  double validation = 0;
  double checkpoint = 0;  ///< held up by checkpoints
  double start = 0;       ///< before the first step: reading rows, making primitives
  double other = 0;       ///< callbacks, bookkeeping, between epochs
};

/// The shares of a training's ranks.
struct TimeReport {
  double seconds = 0;  ///< wall time of fit()
  TimeParts mean;      ///< over ranks
  std::vector<TimeParts> ranks;
  double cpu = 1;           ///< share of the wall time for which the ranks' training threads had a core
  std::size_t busiest = 0;  ///< the rank with the largest share of its own work (compute and input): the others wait for it
};

/// From every rank's profile. While rank 0 writes a checkpoint the others wait in their next step: that counts as checkpoint there as well.
TimeReport time_report(const std::vector<StepProfile>& ranks);
/// All ranks' profiles, on every rank. Collective.
std::vector<StepProfile> gather_profiles(const StepProfile& own, const World& world);

/// What the kernel says about the time for which a rank had no core.
struct CoreEvidence {
  double quota = 0;                         ///< of its cgroup or a parent, in cores; 0: none
  std::string group;                        ///< the cgroup that sets the quota
  std::int64_t periods = 0, throttled = 0;  ///< enforcement periods during training, and those that were throttled (cpu.stat)
  std::string rival;  ///< a process of another job that is bound to the same cores ("pid 4242 (lockstep)"); "": none known
};
/// All ranks' evidence, on every rank. Collective.
std::vector<CoreEvidence> gather_evidence(const CoreEvidence& own, const World& world);

struct Advice;

/// "time           12.3 s: compute 71 %, communication 12 %, ..." and further lines, for people.
std::string time_lines(const TimeReport& report, const Advice& advice);

}  // namespace lockstep
