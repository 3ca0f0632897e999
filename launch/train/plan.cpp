#include "launch/train/plan.h"

#include <fmt/format.h>

#include <cmath>

#include "io/run/versions.h"

namespace lockstep {
namespace {

/// "dense: factors, dense_1: tree"
std::string exchange_text(const std::vector<Sequential::LayerExchange>& exchanges) {
  std::string text;
  for (const auto& [layer, what] : exchanges) text += (text.empty() ? "" : ", ") + layer + ": " + what;
  return text;
}

/// What carries the gradients: factors, which no allreduce sums, or an allreduce. Collective.
std::string carrier(const std::vector<Sequential::LayerExchange>& exchanges, FitOptions& fit, const World& world) {
  for (const auto& [layer, what] : exchanges) {
    if (what != "gradients") return "factors";
  }
  if (fit.allreduce != AllreduceAlgorithm::automatic) return std::string(allreduce_name(fit.allreduce));
  fit.allreduce_table = measure_allreduce(world);
  return fit.allreduce_table.text();
}

}  // namespace

std::int64_t training_rows(const RunConfig& config, const Dataset& train) {
  const double split = config.validation ? 0 : config.fit.validation_split;
  return static_cast<std::int64_t>(std::floor(static_cast<double>(train.rows()) * (1.0 - split)));
}

TrainingPlan make_plan(RunConfig& config, const Sequential& model, const Dataset& train, const World& world) {
  FitOptions& fit = config.fit;
  const std::int64_t rows = training_rows(config, train);
  std::optional<Sampler> sampler;
  world.agree([&] { sampler.emplace(rows, fit.batch_size, fit.shards, config.seed, fit.shuffle); });
  const std::vector<Sequential::LayerExchange> exchanges = model.exchanges(fit, rows, world);
  TrainingPlan plan{.rows = rows,
                    .sampler = std::move(*sampler),
                    .places = rank_places(world, fit.threads),
                    .allreduce = carrier(exchanges, fit, world),
                    .exchange = exchange_text(exchanges),
                    .bits = {}};
  std::map<std::string, std::string> versions = all_versions();
  plan.bits = {
      {"ISA", versions["ISA"]},
      {"oneDNN", versions["oneDNN"]},
      {"lockstep", versions["lockstep"]},
      {"grain rows", std::to_string(cut_grains(plan.sampler.slots(), 0, 1).rows)},
      {"threads per grain", "1"},
      {"dtype policy", std::string(name_of(model.dtype_policy()))},
      {"exchange", plan.allreduce == "factors" ? plan.exchange : fmt::format("gradients by {} on {} ranks", plan.allreduce, world.size())}};
  return plan;
}

}  // namespace lockstep
