// The configuration: its data on every rank, how they are read, room for its checkpoints, what earlier runs left.
#include <fcntl.h>
#include <fmt/format.h>
#include <linux/magic.h>
#include <sys/statfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>

#include "io/data/lost_values.h"
#include "io/hdf5/arrays.h"
#include "launch/doctor/doctor.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr double kMiB = 1 << 20;
constexpr double kDecodedOften = 4;       // times an epoch that a row is decompressed
constexpr double kSmallChunk = 16 << 10;  // bytes
constexpr std::int64_t kManyChunks = 10'000;

std::vector<std::pair<std::string, const DataConfig*>> data_sets(const RunConfig& config) {
  std::vector<std::pair<std::string, const DataConfig*>> sets{{"training", &config.train}};
  if (config.validation) sets.emplace_back("validation", &*config.validation);
  if (config.test) sets.emplace_back("test", &*config.test);
  return sets;
}

/// How rank 0 will read the training rows.
Json reading(const Hdf5Dataset& data, const DataConfig& config, const Examination& examination) {
  const ArrayInfo& info = data.arrays().arrays.features.parts.front().info;
  const double share = std::ceil(static_cast<double>(data.rows()) / examination.world.size());
  const double row = static_cast<double>(info.row_bytes());
  Json facts{
      {"file", data.files().front()}, {"array", info.name}, {"share", share}, {"row_bytes", row}, {"budget", config.options.memory_budget}};
  if (info.chunk.empty()) return facts;
  double chunk_bytes = static_cast<double>(type_bytes(info.type)),
         chunks = static_cast<double>(data.rows()) / static_cast<double>(info.chunk.front());
  for (std::size_t axis = 0; axis < info.chunk.size(); ++axis) {
    chunk_bytes *= static_cast<double>(info.chunk[axis]);
    if (axis > 0) chunks *= std::ceil(static_cast<double>(info.shape[axis]) / static_cast<double>(info.chunk[axis]));
  }
  facts["chunk"] = info.chunk;
  facts["chunk_bytes"] = chunk_bytes;
  facts["chunks"] = chunks;
  return facts;
}

Json probe_data(const Examination& examination) {
  Json facts{{"failed", Json::array()}};
  if (examination.config == nullptr) return facts;
  DataNames names;  // of the training data
  for (const auto& [use, config] : data_sets(*examination.config)) {
    examination.trying(fmt::format("data: opening {} ({})", config->file, use));
    try {
      Hdf5Options options = config->options;
      options.names = names;
      const Hdf5Dataset data(config->file, config->group, options);
      names = data.names();
      if (examination.world.rank() != 0) continue;
      Sequential model = examination.config->make_model();
      model.compile(examination.config->compile);
      model.check_rows(data, World(), use == "training" ? examination.config->fit.class_weight : std::map<std::int64_t, float>{});
      if (use != "training") continue;
      facts["rows"] = data.rows();
      for (const LostValues& column : lost_values(data)) facts["lost"].push_back(lost_text(column));
      facts["reading"] = reading(data, *config, examination);
    } catch (const Error& error) {
      facts["failed"].push_back(use + ": " + error.what());
    }
  }
  return facts;
}

/// Chunks against the way they are read: at once where a rank's share fits its memory, else through windows of rows in random order, for
/// each of which the chunks that hold its rows are decompressed anew.
void judge_chunks(const Json& reading, int ranks, Verdict& verdict) {
  if (!reading.contains("chunk")) return;
  const auto share = reading["share"].get<double>(), row = reading["row_bytes"].get<double>(), budget = reading["budget"].get<double>(),
             chunk_rows = reading["chunk"][0].get<double>(), chunk_bytes = reading["chunk_bytes"].get<double>(),
             count = reading["chunks"].get<double>();
  const auto file = reading["file"].get<std::string>(), array = reading["array"].get<std::string>();
  const std::string repack = fmt::format("h5repack -l {}:CONTI -f {}:NONE {} NEW_FILE", array, array, file);
  const std::string chunks = fmt::format("{}: {} is in chunks of {} rows", file, array, chunk_rows);
  const double windows = std::ceil(share * row / std::max(1.0, budget / 2)),
               times = share * row <= budget ? 1 : std::min(windows, chunk_rows);
  if (times >= kDecodedOften) {
    verdict.problem({},
                    fmt::format("{}, and a rank's share ({:.0f} MiB) is read through windows of {:.0f} MiB: each row is decompressed about "
                                "{:.0f} times an epoch",
                                chunks, share * row / kMiB, budget / 2 / kMiB, times),
                    "Ranks wait for their input.",
                    fmt::format("data.memory: {:.0f}MiB in the configuration, so that the share is read once; or {}",
                                std::ceil(share * row / kMiB) + 1, repack));
  } else if (ranks > 1 && chunk_rows >= 2 * share) {
    verdict.warning({}, fmt::format("{}, where a rank reads {:.0f}", chunks, share),
                    fmt::format("Every rank decompresses the rows of about {:.0f} ranks.", std::min<double>(ranks, chunk_rows / share)),
                    repack);
  }
  if (chunk_bytes < kSmallChunk && count > kManyChunks) {
    verdict.warning({}, fmt::format("{}: {} is in {:.0f} chunks of {:.0f} bytes", file, array, count, chunk_bytes),
                    "HDF5 looks up and reads each by itself: starting takes minutes on a parallel file system.", repack);
  }
}

Verdict judge_data(const Case& facts) {
  const RunConfig* config = facts.examination.config;
  if (config == nullptr) return {"no configuration was given: not looked at"};
  std::map<std::string, std::vector<int>> failed;
  for (int rank = 0; rank < facts.ranks(); ++rank) {
    for (const Json& why : facts.of(rank)["failed"]) failed[why.get<std::string>()].push_back(rank);
  }
  Verdict verdict{"every rank can read the configuration's data, in the order it will"};
  for (const auto& [why, ranks] : failed) {
    verdict.problem(ranks, why, "lockstep train ends with this message.",
                    "what the message says; data.*.file in the configuration, or --data, is a path that every host sees");
  }
  if (!facts.of(0).contains("rows")) return verdict;
  for (const Json& lost : facts.of(0).value("lost", Json::array())) {
    verdict.warning({}, lost.get<std::string>(), "Rows that differ look the same to the model.", "what the message says");
  }
  judge_chunks(facts.of(0)["reading"], facts.ranks(), verdict);
  if (facts.examination.model == nullptr) return verdict;
  const Grains grains = facts.examination.plan(facts.hosts().front()).grains;
  if (grains.count < facts.ranks()) {
    verdict.warning({},
                    fmt::format("a batch of {} makes {} grains of {} rows for {} ranks", config->fit.batch_size, grains.count, grains.rows,
                                facts.ranks()),
                    "Ranks without a grain get no rows.",
                    fmt::format("training.batch_size: {}, or {} ranks", grains.rows * facts.ranks(), grains.count));
  }
  return verdict;
}

/// Bytes of a checkpoint: weights and optimizer slots in float32, and the files beside them.
double checkpoint_bytes(Sequential& model) {
  double values = 0;
  for (const WeightView& weight : model.weights()) values += static_cast<double>(weight.values.size());
  for (const OptimizerSlot& slot : model.optimizer()->slots()) values += static_cast<double>(slot.values.span().size());
  return 4 * values + 64 * 1024;
}

fs::path existing(fs::path path) {
  std::error_code ignored;
  path = fs::absolute(path, ignored);
  while (!fs::exists(path, ignored) && path.has_relative_path()) path = path.parent_path();
  return path;
}

/// Whether the file system would give so many bytes, quotas included, which statfs does not know. 0 or the errno.
int reserve(const fs::path& folder, double bytes) {
  const int file = ::open(folder.c_str(), O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600);
  if (file < 0) return 0;  // not every file system has unnamed files; "files" has tried to write
  const int error = fallocate(file, 0, 0, static_cast<off_t>(bytes)) == 0 ? 0 : errno;
  ::close(file);
  return error == EDQUOT || error == ENOSPC ? error : 0;
}

Json probe_space(const Examination& examination) {
  Json facts;
  if (examination.world.rank() != 0) return facts;
  const fs::path place = existing(examination.run_dir);
  struct statfs system {};
  if (statfs(place.c_str(), &system) != 0) return facts;
  facts["free"] = static_cast<double>(system.f_bavail) * static_cast<double>(system.f_bsize);
  facts["memory"] = system.f_type == TMPFS_MAGIC || system.f_type == RAMFS_MAGIC;
  if (examination.model == nullptr) return facts;
  facts["checkpoint"] = checkpoint_bytes(*examination.model);
  const double copies =
      static_cast<double>(examination.config->checkpoint.keep) + 3;  // the best, the last healthy one, and one in the making
  const double need = copies * facts["checkpoint"].get<double>();
  facts["need"] = need;
  if (!facts["memory"].get<bool>()) facts["refused"] = reserve(place, need);
  return facts;
}

Verdict judge_space(const Case& facts) {
  const Json& fact = facts.of(0);
  const std::string place = facts.examination.run_dir.string();
  if (!fact.contains("free")) return {"could not be looked at"};
  Verdict verdict{fmt::format("{:.0f} MiB free at {}", fact["free"].get<double>() / kMiB, place)};
  if (fact["memory"].get<bool>()) {
    verdict.warning({0}, place + " is on a file system in memory",
                    "Checkpoints are gone when the host restarts, and take memory from the ranks.", "--run-dir on a disk");
  }
  if (!fact.contains("need")) return verdict;
  const auto need = fact["need"].get<double>(), free = fact["free"].get<double>();
  verdict.summary += fmt::format(", {:.1f} MiB needed for checkpoints", need / kMiB);
  const int refused = fact.value("refused", 0);
  if (free < need || refused != 0) {
    verdict.problem({0},
                    fmt::format("{} has {:.1f} MiB free{}; checkpoints need {:.1f} MiB ({} newest, the best, a healthy one and one in the "
                                "making, {:.1f} MiB each)",
                                place, free / kMiB, refused == 0 ? "" : fmt::format(" ({})", std::strerror(refused)), need / kMiB,
                                facts.examination.config->checkpoint.keep, fact["checkpoint"].get<double>() / kMiB),
                    "Checkpoints fail in the middle of the run.",
                    "make room, --run-dir elsewhere, or checkpoint.keep in the configuration");
  }
  return verdict;
}

/// What killed writers left in a run directory.
void look_for_leftovers(const fs::path& folder, Json& found) {
  std::error_code ignored;
  for (const fs::path& place : {folder, folder / "checkpoints"}) {
    for (const fs::directory_entry& entry : fs::directory_iterator(place, ignored)) {
      if (entry.path().filename().string().find(".partial-") == std::string::npos) continue;
      const auto age = fs::file_time_type::clock::now() - entry.last_write_time(ignored);
      if (!ignored && age > std::chrono::minutes(10)) found.push_back(entry.path().string());
    }
  }
}

Json probe_stale(const Examination& examination) {
  Json found = Json::array();
  if (examination.world.rank() != 0) return {{"found", found}};
  look_for_leftovers(examination.run_dir, found);
  std::error_code ignored;
  for (const fs::directory_entry& run : fs::directory_iterator(examination.run_dir, ignored)) {
    if (run.is_directory(ignored)) look_for_leftovers(run.path(), found);
  }
  return {{"found", found}};
}

Verdict judge_stale(const Case& facts) {
  Verdict verdict{"no half-written files"};
  const Json& found = facts.of(0)["found"];
  if (!found.empty()) {
    verdict.warning({0},
                    fmt::format("{} half-written {} of killed jobs, such as {}", found.size(), found.size() == 1 ? "file" : "files",
                                found[0].get<std::string>()),
                    "They take room; nothing reads them.", fmt::format("rm -r {}", found[0].get<std::string>()));
  }
  return verdict;
}

}  // namespace

const std::vector<Check>& doctor_data() {
  static const std::vector<Check> checks{
      {"data", probe_data, judge_data}, {"space", probe_space, judge_space}, {"stale", probe_stale, judge_stale}};
  return checks;
}

}  // namespace lockstep
