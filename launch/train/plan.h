#pragma once
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "cluster/host/placement.h"
#include "cluster/world.h"
#include "core/data/sampler.h"
#include "core/training/sequential.h"
#include "io/config/config.h"

namespace lockstep {

/// What a training is going to do, worked out once before the first step from its configuration, model, data and ranks. The start-up table
/// prints it, checkpoints store what of it decides about bits, a resume compares that, the result repeats it.
struct TrainingPlan {
  std::int64_t rows = 0;                    ///< trained on: those that validation_split leaves
  Sampler sampler;                          ///< of these rows
  std::vector<RankPlace> places;            ///< of all ranks
  std::string allreduce;                    ///< what carries gradients: "factors", or the allreduce that sums them
  std::string exchange;                     ///< "dense: factors, dense_1: tree"
  std::map<std::string, std::string> bits;  ///< what decides about the last bits of the weights besides the configuration

  std::int64_t steps_per_epoch() const { return sampler.steps(); }
};

/// Rows that are trained on: those that validation_split leaves.
std::int64_t training_rows(const RunConfig& config, const Dataset& train);

/// The plan of a built model. Measures the allreduce algorithms where gradients are summed by the fastest of them, and keeps that table in
/// config.fit. `config.fit.threads` is that of this rank. Collective.
TrainingPlan make_plan(RunConfig& config, const Sequential& model, const Dataset& train, const World& world);

}  // namespace lockstep
