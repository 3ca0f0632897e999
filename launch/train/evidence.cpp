#include "launch/train/evidence.h"

#include <vector>

#include "cluster/host/core_round_trip.h"
#include "cluster/host/process_limits.h"
#include "cluster/host/process_usage.h"
#include "io/run/advice.h"

namespace lockstep {
namespace {

/// Why this rank had no core for some of the time, as far as the kernel tells.
CoreEvidence core_evidence(const RunPlan& plan, const StepProfile& profile, const QuotaBefore& before, const World& world) {
  constexpr double kMuch = 0.9;  // of the time with a core: nobody asks why
  CoreEvidence evidence;
  if (before.quota) {
    const Throttling now = cpu_throttling(before.quota->folder);
    evidence = {before.quota->cores, before.quota->folder.string(), now.periods - before.throttling.periods,
                now.throttled - before.throttling.throttled, ""};
  }
  std::vector<long> own;
  for (const RankPlace& place : plan.places) {
    if (place.host == world.hostname()) own.push_back(place.pid);
  }
  if (profile.cpu < kMuch * profile.total()) evidence.rival = rival_on_cores(own);
  return evidence;
}

}  // namespace

QuotaBefore::QuotaBefore() : quota(cpu_quota()) {
  if (quota) throttling = cpu_throttling(quota->folder);
}

RunFacts gather_facts(const RunConfig& config, const RunPlan& plan, const Hdf5Dataset& train, const StepProfile& profile,
                      const QuotaBefore& before, const World& world) {
  RunFacts facts;
  const TrainingPlan& training = plan.training;
  const Grains grains = training.grains_of(0);
  facts.places = plan.places;
  facts.cores = gather_evidence(core_evidence(plan, profile, before, world), world);
  facts.batch_size = training.batch_size;
  facts.grains = grains.count;
  facts.grain_rows = grains.rows;
  for (const RowRange& range : training.sampler.ranges(grains.first_slot(), grains.first_slot() + grains.own_slots()))
    facts.shard_bytes += range.size() * train.row_bytes();
  facts.streams = facts.shard_bytes > config.train.options.memory_budget;
  facts.checkpoint_every = config.checkpoint.every_epochs;
  if (const std::optional<CoreRoundTrip> trip = core_round_trip(world)) facts.far_cores = world.local_size() > 1 && !trip->near();
  return facts;
}

}  // namespace lockstep
