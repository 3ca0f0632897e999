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
std::string start_table(const RunPlan& run) {
  const TrainingPlan& plan = run.training;
  const int size = plan.job.ranks;
  std::string table = fmt::format("{:>5}  {:<20} {:>8} {:>6} {:>8} {:>11}\n", "rank", "host", "pid", "cores", "threads", "batch rows");
  int idle = 0;
  for (const RankPlace& place : run.places) {
    const std::int64_t rows = plan.rows_of(place.rank);
    if (rows == 0) ++idle;
    table += fmt::format("{:>5}  {:<20} {:>8} {:>6} {:>8} {:>11}\n", place.rank, place.host, place.pid, place.cores, place.threads, rows);
  }
  if (idle > 0) {
    const Grains& grains = plan.grains;
    table += fmt::format("{} of {} ranks get no rows: a batch of {} makes {} grains of {}. A batch_size of {} would feed all ranks.\n",
                         idle, size, plan.batch_size, grains.count, grains.rows, grains.rows * size);
  }
  return table;
}

std::string operations_text(double count) {
  return count < 1e9 ? fmt::format("{:.1f} MFLOP", count * 1e-6) : fmt::format("{:.1f} GFLOP", count * 1e-9);
}
std::string mebibytes(double bytes) { return fmt::format("{:.1f} MiB", bytes / (1 << 20)); }

/// What computes the layers, and what a step takes. The last rank has as many rows as any.
std::string plan_lines(const TrainingPlan& plan) {
  const std::string by = plan.computed_by();
  const double rows = plan.memory.row * static_cast<double>(plan.grains_of(plan.job.ranks - 1).own_slots());
  std::string lines = by.empty() ? "" : "computed by    " + by + "\n";
  lines += fmt::format("memory         {} of weights and optimizer a host, up to {} of rows a rank\n", mebibytes(plan.memory.weights),
                       mebibytes(rows));
  lines += fmt::format("step           {} in all, {} sent by rank 0\n", operations_text(plan.cost.operations),
                       plan.cost.sent < 1 ? "nothing" : mebibytes(plan.cost.sent));
  return lines;
}

}  // namespace

void announce(const RunConfig& config, const RunPlan& plan, Sequential& model, const DataSets& data, const RunDirectory& directory) {
  const TrainingPlan& training = plan.training;
  std::vector<std::string> warnings = training.slow();
  if (const std::string why = too_many_threads(plan.places); !why.empty()) warnings.push_back(why);
  for (const std::string& why : warnings) {
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
  for (const std::string& note : data.notes()) fmt::print("               note: {}\n", note);
  fmt::print("training       {} epochs of {} steps, batch {}, {}{}, allreduce {}\n", config.fit.epochs, training.steps_per_epoch(),
             training.batch_size, name_of(training.dtype_policy), config.mixed_precision == DtypePolicy::automatic ? " (auto)" : "",
             training.allreduce());
  fmt::print("exchange       {}{}\n", training.exchanges(), config.fit.reproducible ? " (reproducible on any hosts)" : "");
  fmt::print("{}{}", plan_lines(training), start_table(plan));
  std::fflush(stdout);
}

RunInfo run_info(const RunConfig& config, const RunPlan& plan, Sequential& model, const std::filesystem::path& run_dir,
                 const World& world) {
  RunInfo info;
  info.name = config.name;
  info.run_dir = run_dir.string();
  info.model = describe(model);
  info.epochs = config.fit.epochs;
  info.steps_per_epoch = plan.training.steps_per_epoch();
  info.batch_size = config.fit.batch_size;
  info.metrics = {"loss"};
  for (const MetricSpec& metric : model.compile_options().metrics) info.metrics.push_back(metric.name);
  info.ranks = world.size();
  info.hosts = world.hosts();
  info.threads = plan.training.threads;
  info.allreduce = plan.training.allreduce();
  info.versions = all_versions();
  return info;
}

}  // namespace lockstep
