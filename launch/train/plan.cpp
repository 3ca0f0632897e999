#include "launch/train/plan.h"

#include <fmt/format.h>

#include "io/run/versions.h"

namespace lockstep {
namespace {

/// Checkpoints keep these: keys and values stay as they are.
std::map<std::string, std::string> bits_of(const TrainingPlan& plan) {
  std::map<std::string, std::string> versions = all_versions();
  return {{"ISA", versions["ISA"]},
          {"oneDNN", versions["oneDNN"]},
          {"lockstep", versions["lockstep"]},
          {"grain rows", std::to_string(plan.grains.rows)},
          {"threads per grain", "1"},
          {"arithmetic", std::string(name_of(plan.arithmetic))},
          {"dtype policy", std::string(name_of(plan.dtype_policy))},
          {"exchange",
           plan.exchange.factors ? plan.exchanges() : fmt::format("gradients by {} on {} ranks", plan.allreduce(), plan.job.ranks)}};
}

}  // namespace

RunPlan make_run_plan(const RunConfig& config, Sequential& model, const Dataset& train, const World& world) {
  TrainingPlan plan = model.plan(train, config.fit, world);
  std::map<std::string, std::string> bits = bits_of(plan);
  std::vector<RankPlace> places = rank_places(world, plan.threads);
  return {std::move(plan), std::move(places), std::move(bits)};
}

}  // namespace lockstep
