#include "launch/train/announce.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cluster/host/process_limits.h"
#include "core/training/plan.h"
#include "core/training/summary.h"
#include "io/data/lost_values.h"
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

/// "3 (fox)"
std::string class_text(const DataSets& data, std::size_t index) {
  const std::vector<std::string>& names = data.train.class_names();
  return index < names.size() ? fmt::format("{} ({})", index, names[index]) : std::to_string(index);
}

std::string class_counts(const DataSets& data) {
  constexpr std::size_t kMost = 10;
  const std::vector<std::int64_t>& classes = data.train_facts.classes;
  std::vector<std::string> counts;
  for (std::size_t c = 0; c < std::min(classes.size(), kMost); ++c)
    counts.push_back(fmt::format("{}: {}", class_text(data, c), classes[c]));
  if (classes.size() <= kMost) return fmt::format("{}", fmt::join(counts, ", "));
  const auto [fewest, most] = std::minmax_element(classes.begin(), classes.end());
  return fmt::format("{} and {} more, each {} to {}", fmt::join(counts, ", "), classes.size() - kMost, *fewest, *most);
}

/// What acts on the numbers besides the rows: sample weights, a validation split, the rows of each class.
std::string data_lines(const RunConfig& config, const DataSets& data) {
  std::string lines;
  const auto line = [&](const std::string& text) { lines += fmt::format("               {}\n", text); };
  const RowFacts& train = data.train_facts;
  if (!config.fit.validation_data && config.fit.validation_split > 0) {
    line(fmt::format("validation: the last {} rows of the training data (validation_split {})",
                     split_rows(data.train, config.fit).validation.size(), config.fit.validation_split));
  }
  if (const std::string weights = data.train.weights(); !weights.empty() && train.rows > 0) {
    line(fmt::format("weight: {}, mean {:.4g}", weights, train.weight / static_cast<double>(train.rows)));
  }
  if (!train.classes.empty()) line(fmt::format("rows of each class: {}", class_counts(data)));
  for (const std::string& note : data.notes()) line("note: " + note);
  return lines;
}

/// Columns of the data whose values float32 cannot tell apart.
void add_lost_values(const Hdf5Dataset& data, std::vector<std::string>& found) {
  constexpr std::size_t kMost = 5;
  std::vector<LostValues> lost;
  try {
    lost = lost_values(data);
  } catch (const Error&) {  // the ranks that read these rows say why they cannot
  }
  for (std::size_t i = 0; i < std::min(lost.size(), kMost); ++i) found.push_back(lost_text(lost[i]));
  if (lost.size() > kMost) found.push_back(fmt::format("{}: so it is in {} more columns", data.description(), lost.size() - kMost));
}

/// What of model and data is seldom meant, a sentence each.
std::vector<std::string> cautions(const RunConfig& config, const Sequential& model, const DataSets& data) {
  std::vector<std::string> found = model.cautions();
  const std::vector<std::int64_t>&train = data.train_facts.classes, &validation = data.validation_facts.classes;
  const std::int64_t rows = data.train_facts.rows;
  add_lost_values(data.train, found);
  for (std::size_t c = 0; c < std::min(train.size(), validation.size()); ++c) {
    if (train[c] > 0 || validation[c] == 0) continue;
    found.push_back(fmt::format("{} of {} validation rows are of class {}, of which no training row is", validation[c],
                                data.validation_facts.rows, class_text(data, c)));
  }
  for (const auto& [index, weight] : config.fit.class_weight) {
    const bool known = index >= 0 && index < static_cast<std::int64_t>(train.size());
    if (train.empty() || (known && (train[static_cast<std::size_t>(index)] > 0 || weight == 0))) continue;
    found.push_back(fmt::format("training.class_weight gives class {} a weight, but none of the {} training rows is of it", index, rows));
  }
  return found;
}

}  // namespace

void announce(const RunConfig& config, const RunPlan& plan, Sequential& model, const DataSets& data, const RunDirectory& directory) {
  const TrainingPlan& training = plan.training;
  std::vector<std::string> warnings = training.slow();
  for (std::string& why : cautions(config, model, data)) warnings.push_back(std::move(why));
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
  fmt::print("{}", data_lines(config, data));
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
