#pragma once
#include <filesystem>

#include "cluster/status/status.h"
#include "cluster/world.h"
#include "core/training/sequential.h"
#include "io/config/config.h"
#include "io/run/run_directory.h"
#include "launch/train/data_sets.h"
#include "launch/train/plan.h"

namespace lockstep {

/// Prints what a training is going to do, before its first step. More threads than cores, layers that only slow code computes and what is
/// seldom meant are warnings, which the run's log keeps. For rank 0.
void announce(const RunConfig& config, const RunPlan& plan, Sequential& model, const DataSets& data, const RunDirectory& directory);

/// What the coordinator tells of it.
RunInfo run_info(const RunConfig& config, const RunPlan& plan, Sequential& model, const std::filesystem::path& run_dir, const World& world);

}  // namespace lockstep
