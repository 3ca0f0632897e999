#include "launch/train/announce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cluster/host/process_limits.h"
#include "core/training/summary.h"
#include "io/run/versions.h"

namespace lockstep {
namespace {

/// "sequential: 5 layers, 266,610 parameters", counted as Keras counts: Input is no layer.
std::string describe(Sequential& model) {
  std::int64_t parameters = 0, layers = 0;
  for (const WeightView& weight : model.weights()) parameters += static_cast<std::int64_t>(weight.values.size());
  for (const LayerSpec& layer : model.layers()) layers += std::holds_alternative<Input>(layer) ? 0 : 1;
  return fmt::format("{}: {} layers, {} parameters", model.name(), layers, with_separators(parameters));
}

/// Rank, host, pid, cores, threads and the rows of a full batch that each rank computes. Ranks that get no row are named, with the batch
/// size that would feed them.
std::string start_table(const TrainingPlan& plan, std::int64_t batch_size) {
  const int size = static_cast<int>(plan.places.size());
  std::string table = fmt::format("{:>5}  {:<20} {:>8} {:>6} {:>8} {:>11}\n", "rank", "host", "pid", "cores", "threads", "batch rows");
  int idle = 0;
  for (const RankPlace& place : plan.places) {
    const Grains grains = cut_grains(plan.sampler.slots(), place.rank, size);
    const std::int64_t end = std::min(grains.first_slot() + grains.own_slots(), plan.sampler.slots());
    const std::int64_t rows = std::max<std::int64_t>(0, end - grains.first_slot());
    if (rows == 0) ++idle;
    table += fmt::format("{:>5}  {:<20} {:>8} {:>6} {:>8} {:>11}\n", place.rank, place.host, place.pid, place.cores, place.threads, rows);
  }
  if (idle > 0) {
    const Grains grains = cut_grains(plan.sampler.slots(), 0, size);
    table += fmt::format("{} of {} ranks get no rows: a batch of {} makes {} grains of {}. A batch_size of {} would feed all ranks.\n",
                         idle, size, batch_size, grains.count, grains.rows, grains.rows * size);
  }
  return table;
}

}  // namespace

void announce(const RunConfig& config, const TrainingPlan& plan, Sequential& model, const DataSets& data, const RunDirectory& directory) {
  if (const std::string why = too_many_threads(plan.places); !why.empty()) {
    fmt::print(stderr, "warning: {}\n", why);
    directory.log("warning: " + why);
  }
  std::string versions;
  for (const auto& [library, version] : all_versions()) versions += (versions.empty() ? "" : ", ") + library + " " + version;
  fmt::print("{}\n", versions);
  fmt::print("run directory  {}\n", directory.path().string());
  fmt::print("model          {}\n", describe(model));
  fmt::print("data           train: {} rows of {}\n", data.train.rows(), data.train.description());
  if (data.validation) fmt::print("               validation: {} rows of {}\n", data.validation->rows(), data.validation->description());
  if (data.test) fmt::print("               test: {} rows of {}\n", data.test->rows(), data.test->description());
  fmt::print("training       {} epochs of {} steps, batch {}, {}{}, allreduce {}\n", config.fit.epochs, plan.steps_per_epoch(),
             config.fit.batch_size, name_of(model.dtype_policy()), config.mixed_precision == DtypePolicy::automatic ? " (auto)" : "",
             plan.allreduce);
  fmt::print("exchange       {}{}\n", plan.exchange, config.fit.reproducible ? " (reproducible on any hosts)" : "");
  fmt::print("{}", start_table(plan, config.fit.batch_size));
  std::fflush(stdout);
}

RunInfo run_info(const RunConfig& config, const TrainingPlan& plan, Sequential& model, const std::filesystem::path& run_dir,
                 const World& world) {
  RunInfo info;
  info.name = config.name;
  info.run_dir = run_dir.string();
  info.model = describe(model);
  info.epochs = config.fit.epochs;
  info.steps_per_epoch = plan.steps_per_epoch();
  info.batch_size = config.fit.batch_size;
  info.metrics = {"loss"};
  for (const MetricSpec& metric : model.compile_options().metrics) info.metrics.push_back(metric.name);
  info.ranks = world.size();
  info.hosts = world.hosts();
  info.threads = config.fit.threads;
  info.allreduce = plan.allreduce;
  info.versions = all_versions();
  return info;
}

}  // namespace lockstep
