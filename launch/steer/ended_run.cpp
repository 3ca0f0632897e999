#include "launch/steer/ended_run.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <fstream>
#include <sstream>
#include <string_view>

#include "cluster/coordinator/record.h"
#include "cluster/descriptor.h"
#include "cluster/error.h"
#include "cluster/json.h"
#include "cluster/world.h"
#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/folder.h"
#include "launch/steer/status_json.h"
#include "launch/steer/status_view.h"
#include "launch/terminal.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

/// What the file holds; null where it is not there or not whole.
Json json_in(const fs::path& path) {
  std::ifstream file(path);
  return Json::parse_or_null(std::string(std::istreambuf_iterator<char>(file), {}));
}

template <class T>
void read(const Json& json, const char* key, T& value) {
  try {
    if (!json[key].is_null()) json[key].get_to(value);
  } catch (const JsonError&) {  // of another version: as if it were not there
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
  for (const Json& row : result["rank_table"]) {
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

/// Of the last start, which has written its name into .lock; an older fault is another start's.
std::string fault_message(const fs::path& run_dir) {
  std::error_code no_fault, no_lock;
  const fs::file_time_type fault = fs::last_write_time(run_dir / "fault.json", no_fault);
  const fs::file_time_type start = fs::last_write_time(run_dir / ".lock", no_lock);
  std::string message;
  if (!no_fault && (no_lock || fault >= start)) read(json_in(run_dir / "fault.json"), "message", message);
  return message;
}

std::string why_killed(const fs::path& run_dir, const std::string& process) {
  const std::string message = fault_message(run_dir);
  return message.empty() ? fmt::format("killed: its {} is gone and left no reason", process) : message;
}

/// Who wrote into the directory last, "process 42 on node7", if that process was on this host and is gone: it held the lock.
std::optional<std::string> gone_writer(const fs::path& run_dir) {
  const Descriptor file(open((run_dir / ".lock").c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  std::array<char, 512> text{};
  if (!file.is_open() || pread(file.get(), text.data(), text.size() - 1, 0) <= 0) return std::nullopt;
  const std::string writer = std::string(text.data()).substr(0, std::string_view(text.data()).find('\n'));
  if (!writer.ends_with(" on " + World().hostname()) || flock(file.get(), LOCK_SH | LOCK_NB) != 0) return std::nullopt;
  return writer;
}

EndedRun of_directory(const fs::path& run_dir, Phase phase, std::string reason) {
  std::error_code none;
  EndedRun run;
  Status& status = run.status;
  status.phase = phase;
  status.reason = std::move(reason);
  status.run.name = fs::absolute(run_dir, none).lexically_normal().filename().string();
  status.run.run_dir = run_dir.string();
  status.run.ranks = 0;
  read_history(run_dir / "history.csv", status);
  const std::vector<CheckpointInfo> checkpoints = list_checkpoints(run_dir.string());
  status.checkpoints = static_cast<std::int64_t>(checkpoints.size());
  if (!checkpoints.empty()) {
    const Json state = json_in(fs::path(checkpoints.back().path) / "state.json");
    read(state, "epochs", status.run.epochs);
    read(state, "steps_per_epoch", status.run.steps_per_epoch);
    read(state, "batch_size", status.run.batch_size);
  }
  // What an earlier, finished start has left in the directory is not this one's result.
  if (phase == Phase::finished) read_result(json_in(run_dir / "result.json"), status);
  if (!checkpoints.empty()) status.progress.global_step = std::max(status.progress.global_step, checkpoints.back().step);
  if (phase == Phase::finished) return run;
  run.go_on = checkpoints.empty() ? "it has left no checkpoint to go on from"
                                  : fmt::format("its last checkpoint is {}; go on with: lockstep train --resume {}",
                                                checkpoints.back().path, run_dir.string());
  return run;
}

/// Of a run that went without a coordinator.
std::optional<EndedRun> without_coordinator(const fs::path& run_dir) {
  std::error_code none, missing;
  const fs::path result = run_dir / "result.json", history = run_dir / "history.csv";
  const fs::file_time_type written = fs::last_write_time(result, missing);
  const bool resumed = !missing && fs::exists(history, none) && fs::last_write_time(history, none) > written;
  if (const Json json = missing || resumed ? Json() : json_in(result); !json.empty()) {
    std::string reason;
    read(json, "ended", reason);
    EndedRun run = of_directory(run_dir, Phase::finished, reason);
    run.status.run.epochs = run.status.progress.epoch;
    return run;
  }
  const std::optional<std::string> writer = gone_writer(run_dir);
  if (!writer) return std::nullopt;
  return of_directory(run_dir, Phase::failed, why_killed(run_dir, *writer));
}

}  // namespace

std::optional<EndedRun> ended_run(const fs::path& run_dir) {
  std::error_code none;
  if (!fs::exists(run_dir / "coordinator.json", none)) return without_coordinator(run_dir);
  const CoordinatorRecord record = read_record(run_dir);
  if (!is_gone(record)) return std::nullopt;
  const bool finished = record.ended && record.phase == phase_name(Phase::finished);
  EndedRun run =
      of_directory(run_dir, finished ? Phase::finished : Phase::failed,
                   record.ended ? record.reason : why_killed(run_dir, fmt::format("process (pid {} on {})", record.pid, record.host)));
  run.status.started = record.started;
  if (record.ended && run.status.elapsed == 0) run.status.elapsed = record.finished - record.started;
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
