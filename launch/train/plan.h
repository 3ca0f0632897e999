#pragma once
#include <map>
#include <string>
#include <vector>

#include "cluster/host/placement.h"
#include "cluster/world.h"
#include "core/training/plan.h"
#include "io/config/config.h"

namespace lockstep {

/// The plan of a run: that of its training, and what a run tells of it.
struct RunPlan {
  TrainingPlan training;
  std::vector<RankPlace> places;            ///< of all ranks
  std::map<std::string, std::string> bits;  ///< what decides about the last bits of the weights besides the configuration
};

/// For a model that is built and compiled. Collective.
RunPlan make_run_plan(const RunConfig& config, Sequential& model, const Dataset& train, const World& world);

}  // namespace lockstep
