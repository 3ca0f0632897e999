#pragma once
#include <optional>

#include "cluster/host/cgroup.h"
#include "cluster/world.h"
#include "core/training/callbacks.h"
#include "io/config/config.h"
#include "io/hdf5/dataset.h"
#include "io/run/advice.h"
#include "io/run/time_report.h"
#include "launch/train/plan.h"

namespace lockstep {

/// The CPU quota of this process' cgroup, and how often it had been throttled when this was made.
struct QuotaBefore {
  QuotaBefore();
  std::optional<CpuQuota> quota;
  Throttling throttling;
};

/// What the advice at the end of a training rests on. `profile`: of this rank. Collective.
RunFacts gather_facts(const RunConfig& config, const RunPlan& plan, const Hdf5Dataset& train, const StepProfile& profile,
                      const QuotaBefore& before, const World& world);

}  // namespace lockstep
