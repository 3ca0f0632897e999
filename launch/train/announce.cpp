// What a training run tells of itself before the first step: to people, and to the coordinator.
#include <fmt/format.h>

#include <cstdio>

#include "core/training/summary.h"
#include "io/run/versions.h"
#include "launch/train/start_table.h"
#include "launch/train/training_run.h"

namespace lockstep {
namespace {

/// "sequential: 5 layers, 266,610 parameters", counted as Keras counts: Input is no layer.
std::string describe(Sequential& model) {
  std::int64_t parameters = 0, layers = 0;
  for (const WeightView& weight : model.weights()) parameters += static_cast<std::int64_t>(weight.values.size());
  for (const LayerSpec& layer : model.layers()) layers += std::holds_alternative<Input>(layer) ? 0 : 1;
  return fmt::format("{}: {} layers, {} parameters", model.name(), layers, with_separators(parameters));
}

}  // namespace

/// What carries the gradients: factors, which no allreduce sums, or an allreduce.
std::string TrainingRun::allreduce_name() const {
  for (const auto& [layer, what] : model_->exchanges(config_.fit, training_rows(), world_)) {
    if (what != "gradients") return "factors";
  }
  if (config_.fit.allreduce != AllreduceAlgorithm::automatic) return std::string(lockstep::allreduce_name(config_.fit.allreduce));
  return config_.fit.allreduce_table.empty() ? "shared" : config_.fit.allreduce_table.text();
}

/// "dense: factors, dense_1: tree"
std::string TrainingRun::exchange_text() const {
  std::string text;
  for (const auto& [layer, what] : model_->exchanges(config_.fit, training_rows(), world_))
    text += (text.empty() ? "" : ", ") + layer + ": " + what;
  return text;
}

void TrainingRun::announce(int threads) {
  places_ = rank_places(world_, threads);
  if (const std::string why = too_many_threads(places_); leads() && !why.empty()) {
    fmt::print(stderr, "warning: {}\n", why);
    directory_->log("warning: " + why);
  }
  quota_ = cpu_quota();
  if (quota_) throttling_ = cpu_throttling(quota_->folder);
  if (config_.fit.allreduce == AllreduceAlgorithm::automatic && allreduce_name() != "factors") {
    config_.fit.allreduce_table = measure_allreduce(world_);
  }
  std::unique_ptr<Sampler> batches;
  world_.agree([&] { batches = sampler(); });
  if (!leads()) return;
  std::string versions;
  for (const auto& [library, version] : all_versions()) versions += (versions.empty() ? "" : ", ") + library + " " + version;
  fmt::print("{}\n", versions);
  fmt::print("run directory  {}\n", path_.string());
  fmt::print("model          {}\n", describe(*model_));
  fmt::print("data           train: {} rows of {}\n", train_->rows(), train_->description());
  if (validation_) fmt::print("               validation: {} rows of {}\n", validation_->rows(), validation_->description());
  if (test_) fmt::print("               test: {} rows of {}\n", test_->rows(), test_->description());
  fmt::print("training       {} epochs of {} steps, batch {}, {}{}, allreduce {}\n", config_.fit.epochs, batches->steps(),
             config_.fit.batch_size, name_of(model_->dtype_policy()), config_.mixed_precision == DtypePolicy::automatic ? " (auto)" : "",
             allreduce_name());
  fmt::print("exchange       {}{}\n", exchange_text(), config_.fit.reproducible ? " (reproducible on any hosts)" : "");
  fmt::print("{}", start_table(places_, *batches, config_.fit.batch_size));
  std::fflush(stdout);
}

RunInfo TrainingRun::info(int threads) {
  RunInfo info;
  info.name = config_.name;
  info.run_dir = path_.string();
  info.model = describe(*model_);
  info.epochs = config_.fit.epochs;
  info.steps_per_epoch = sampler()->steps();
  info.batch_size = config_.fit.batch_size;
  info.metrics = {"loss"};
  for (const MetricSpec& metric : model_->compile_options().metrics) info.metrics.push_back(metric.name);
  info.ranks = world_.size();
  info.hosts = world_.hosts();
  info.threads = threads;
  info.allreduce = allreduce_name();
  info.versions = all_versions();
  return info;
}

}  // namespace lockstep
