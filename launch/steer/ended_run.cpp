#include "launch/steer/ended_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "cluster/coordinator/record.h"
#include "cluster/error.h"
#include "cluster/world.h"
#include "io/checkpoint/checkpoint.h"
#include "launch/steer/status_view.h"
#include "launch/terminal.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::json;

/// An object; an empty one where the file is not there or not whole.
Json object_in(const fs::path& path) {
  std::ifstream file(path);
  Json json = Json::parse(file, nullptr, false);
  return json.is_object() ? json : Json::object();
}

template <class T>
void read(const Json& json, const char* key, T& value) {
  try {
    if (json.contains(key) && !json[key].is_null()) value = json[key].get<T>();
  } catch (const Json::exception&) {  // of another version: as if it were not there
  }
}

std::vector<std::string> fields(const std::string& line) {
  std::vector<std::string> all;
  std::istringstream text(line.substr(0, line.find('\r')));
  for (std::string field; std::getline(text, field, ',');) all.push_back(field);
  return all;
}

/// The last epoch of history.csv.
void read_history(const fs::path& path, Status& status) {
  std::ifstream file(path);
  std::string names, last;
  std::getline(file, names);
  for (std::string line; std::getline(file, line);) last = line;
  const std::vector<std::string> keys = fields(names), values = fields(last);
  for (std::size_t i = 0; i < keys.size() && i < values.size(); ++i) {
    const double value = std::strtod(values[i].c_str(), nullptr);
    keys[i] == "epoch" ? void(status.progress.epoch = static_cast<std::int64_t>(value) + 1)
                       : void(status.metrics.emplace_back(keys[i], value));
  }
}

void read_result(const Json& result, Status& status) {
  read(result, "name", status.run.name);
  read(result, "batch_size", status.run.batch_size);
  read(result, "epochs_done", status.progress.epoch);
  read(result, "steps", status.progress.global_step);
  read(result, "samples", status.progress.samples);
  read(result, "seconds", status.elapsed);
  read(result, "ranks", status.run.ranks);
  read(result, "hosts", status.run.hosts);
  read(result, "threads", status.run.threads);
  read(result, "allreduce", status.run.allreduce);
  read(result, "versions", status.run.versions);
  double rate = 0;
  read(result, "samples_per_second", rate);
  if (rate > 0) status.samples_per_second = rate;
  for (const Json& row : result.value("rank_table", Json::array())) {
    RankStatus rank;
    read(row, "rank", rank.rank);
    read(row, "host", rank.host);
    read(row, "pid", rank.pid);
    read(row, "memory_bytes", rank.rss_bytes);
    rank.epoch = status.progress.epoch;
    rank.step = status.progress.global_step;
    rank.phase = status.phase;
    status.ranks.push_back(rank);
  }
}

/// Whether there is nobody left to ask; false where that cannot be seen from here.
bool is_gone(const CoordinatorRecord& record) {
  return record.ended || (record.host == World().hostname() && kill(static_cast<pid_t>(record.pid), 0) != 0 && errno == ESRCH);
}

std::string why_killed(const fs::path& run_dir, const CoordinatorRecord& record) {
  const Json fault = object_in(run_dir / "fault.json");
  std::string message;
  read(fault, "message", message);
  return message.empty() ? fmt::format("killed: its process (pid {} on {}) is gone and left no reason", record.pid, record.host) : message;
}

/// Of a run that went without a coordinator; none where it has not finished, or has been resumed since.
std::optional<EndedRun> without_coordinator(const fs::path& run_dir) {
  std::error_code none, missing;
  const fs::path result = run_dir / "result.json", history = run_dir / "history.csv";
  const fs::file_time_type written = fs::last_write_time(result, missing);
  if (missing || (fs::exists(history, none) && fs::last_write_time(history, none) > written)) return std::nullopt;
  const Json json = object_in(result);
  if (json.empty()) return std::nullopt;
  EndedRun run;
  Status& status = run.status;
  status.phase = Phase::finished;
  status.run.name = fs::absolute(run_dir, none).lexically_normal().filename().string();
  status.run.run_dir = run_dir.string();
  status.run.ranks = 0;
  read(json, "ended", status.reason);
  read_history(history, status);
  read_result(json, status);
  status.run.epochs = status.progress.epoch;
  status.checkpoints = static_cast<std::int64_t>(list_checkpoints(run_dir.string()).size());
  return run;
}

}  // namespace

std::optional<EndedRun> ended_run(const fs::path& run_dir) {
  std::error_code none;
  if (!fs::exists(run_dir / "coordinator.json", none)) return without_coordinator(run_dir);
  const CoordinatorRecord record = read_record(run_dir);
  if (!is_gone(record)) return std::nullopt;
  EndedRun run;
  Status& status = run.status;
  status.phase = record.ended && record.phase == phase_name(Phase::finished) ? Phase::finished : Phase::failed;
  status.reason = record.ended ? record.reason : why_killed(run_dir, record);
  status.started = record.started;
  if (record.ended) status.elapsed = record.finished - record.started;
  status.run.name = fs::absolute(run_dir, none).lexically_normal().filename().string();
  status.run.run_dir = run_dir.string();
  status.run.ranks = 0;
  read_history(run_dir / "history.csv", status);
  const std::vector<CheckpointInfo> checkpoints = list_checkpoints(run_dir.string());
  status.checkpoints = static_cast<std::int64_t>(checkpoints.size());
  if (!checkpoints.empty()) {
    const Json state = object_in(fs::path(checkpoints.back().path) / "state.json");
    read(state, "epochs", status.run.epochs);
    read(state, "steps_per_epoch", status.run.steps_per_epoch);
    read(state, "batch_size", status.run.batch_size);
    status.progress.global_step = checkpoints.back().step;
  }
  // What an earlier, finished start has left in the directory is not this one's result.
  if (status.phase == Phase::finished) read_result(object_in(run_dir / "result.json"), status);
  if (!checkpoints.empty()) status.progress.global_step = std::max(status.progress.global_step, checkpoints.back().step);
  if (status.phase == Phase::finished) return run;
  run.go_on = checkpoints.empty() ? "it has left no checkpoint to go on from"
                                  : fmt::format("its last checkpoint is {}; go on with: lockstep train --resume {}",
                                                checkpoints.back().path, run_dir.string());
  return run;
}

int print_ended(const EndedRun& run, bool json) {
  if (json) {
    std::printf("%s\n", status_json(run.status).c_str());
  } else {
    for (const std::string& line : ended_table(run.status, terminal_size().columns)) std::printf("%s\n", line.c_str());
    if (!run.go_on.empty()) std::printf("%s\n", run.go_on.c_str());
  }
  return run.status.phase == Phase::finished ? kOk : kFailed;
}

}  // namespace lockstep
