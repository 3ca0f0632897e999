#include "io/checkpoint/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <cmath>
#include <filesystem>
#include <set>

#include "cluster/error.h"
#include "io/checkpoint/checkpoint.h"
#include "io/files/durable_file.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kPrefix = "step-";

/// Whether the files of one checkpoint are not what they were, which says nothing of the others. Else the file system is at fault.
bool tells_damage(const SystemError& error) {
  const std::array reasons{ENOENT, ENOTDIR, EISDIR, ELOOP, EIO};
  return std::find(reasons.begin(), reasons.end(), error.reason()) != reasons.end();
}

struct Listed {
  CheckpointInfo info;
  bool readable = false;  // the state below
  bool healthy = false;
  std::string monitor = {};
  double score = 0;
};

std::vector<Listed> list(const std::string& run_dir) {
  std::vector<Listed> checkpoints;
  const std::string folder = checkpoint_folder(run_dir);
  if (!path_exists(folder)) return checkpoints;
  for (const std::string& name : directory_names(folder)) {
    const std::int64_t step = checkpoint_step(name);
    const std::string path = folder + "/" + name;
    std::error_code reason;
    if (step < 0 || !fs::is_directory(path, reason)) {
      if (step >= 0 && reason && reason != std::errc::no_such_file_or_directory) {
        throw SystemError(path, "cannot access it", reason.value());
      }
      continue;
    }
    Listed listed{.info = {path, 0, step, 0, checkpoint_bytes(path)}};
    try {
      const CheckpointState state = read_checkpoint_state(path);
      listed.info.epoch = state.epoch + 1;
      listed.info.time = state.time;
      listed.readable = true;
      listed.healthy = state.healthy;
      listed.monitor = state.monitor;
      listed.score = state.score;
    } catch (const SystemError& error) {
      if (!tells_damage(error)) throw;
    } catch (const Error&) {  // a damaged one is listed, too: its name says the step
    }
    checkpoints.push_back(std::move(listed));
  }
  std::sort(checkpoints.begin(), checkpoints.end(), [](const Listed& a, const Listed& b) { return a.info.step < b.info.step; });
  return checkpoints;
}

/// Steps of those that stay.
std::set<std::int64_t> kept(const std::vector<Listed>& checkpoints, const KeepCheckpoints& keep) {
  std::set<std::int64_t> steps;
  const Listed *best = nullptr, *healthy = nullptr;
  for (const Listed& one : checkpoints) {
    if (one.readable && one.healthy) healthy = &one;
    if (!one.readable || !one.healthy || one.monitor != keep.monitor || std::isnan(one.score)) continue;
    if (best == nullptr || (keep.larger_is_better ? one.score > best->score : one.score < best->score)) best = &one;
  }
  const auto newest = static_cast<std::size_t>(std::max<std::int64_t>(1, keep.newest));
  for (std::size_t i = 0; i < std::min(newest, checkpoints.size()); ++i) steps.insert(checkpoints[checkpoints.size() - 1 - i].info.step);
  if (best != nullptr) steps.insert(best->info.step);
  if (healthy != nullptr) steps.insert(healthy->info.step);
  return steps;
}

}  // namespace

std::string checkpoint_folder(const std::string& run_dir) { return run_dir + "/checkpoints"; }

std::string checkpoint_name(std::int64_t step) { return fmt::format("step-{:08}", step); }

std::int64_t checkpoint_step(const std::string& name) {
  if (!name.starts_with(kPrefix)) return -1;
  std::int64_t step = -1;
  const char* end = name.data() + name.size();
  const auto [stopped, failure] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return failure == std::errc() && stopped == end && name == checkpoint_name(step) ? step : -1;
}

void remove_partial_checkpoints(const std::string& folder) {
  for (const std::string& name : directory_names(folder)) {
    if (!name.starts_with(kPartialCheckpoint)) continue;
    std::error_code reason;
    fs::remove_all(folder + "/" + name, reason);
    if (reason) throw SystemError(folder + "/" + name, "cannot remove it", reason.value());
  }
}

std::int64_t checkpoint_bytes(const std::string& path) {
  std::error_code reason;
  std::int64_t bytes = 0;
  for (const fs::directory_entry& file : fs::directory_iterator(path, reason)) {
    const std::uintmax_t size = file.file_size(reason);
    if (!reason) bytes += static_cast<std::int64_t>(size);
  }
  return bytes;
}

std::vector<CheckpointInfo> list_checkpoints(const std::string& run_dir) {
  std::vector<CheckpointInfo> infos;
  for (Listed& one : list(run_dir)) infos.push_back(std::move(one.info));
  return infos;
}

std::string run_dir_of(const std::string& path) {
  fs::path place = fs::path(path).lexically_normal();
  if (!place.has_filename()) place = place.parent_path();  // "step-00000007/"
  if (checkpoint_step(place.filename().string()) < 0 || fs::path(checkpoint_folder("")).filename() != place.parent_path().filename()) {
    return "";
  }
  const std::string run_dir = place.parent_path().parent_path().string();
  return run_dir.empty() ? "." : run_dir;
}

NewestCheckpoint newest_checkpoint(const std::string& run_dir) {
  NewestCheckpoint newest, unhealthy;
  std::vector<CheckpointInfo> checkpoints = list_checkpoints(run_dir);
  while (!checkpoints.empty() && !newest.found) {
    const CheckpointInfo& last = checkpoints.back();
    try {
      if (verify_checkpoint(last.path).healthy) {
        newest.found = last;
      } else {
        if (!unhealthy.found) unhealthy = {last, newest.skipped};
        newest.skipped.push_back(last.path + ": its loss or weights are not finite numbers");
      }
    } catch (const SystemError& error) {
      if (!tells_damage(error)) throw;
      newest.skipped.emplace_back(error.what());
    } catch (const Error& error) {
      newest.skipped.emplace_back(error.what());
    }
    checkpoints.pop_back();
  }
  return newest.found || !unhealthy.found ? newest : unhealthy;
}

std::int64_t prune_checkpoints(const std::string& run_dir, const KeepCheckpoints& keep) {
  const std::vector<Listed> checkpoints = list(run_dir);
  const std::set<std::int64_t> steps = kept(checkpoints, keep);
  const std::string parent = checkpoint_folder(run_dir);
  std::int64_t removed = 0;
  for (const Listed& one : checkpoints) {
    if (steps.contains(one.info.step)) continue;
    // Renamed first: a kill half-way through leaves what nobody takes for a checkpoint.
    const std::string going = parent + "/" + std::string(kPartialCheckpoint) + checkpoint_name(one.info.step) + ".old";
    std::error_code reason;
    fs::rename(one.info.path, going, reason);
    if (!reason) fs::remove_all(going, reason);
    if (reason) throw SystemError(one.info.path, "cannot remove it", reason.value());
    ++removed;
  }
  if (removed > 0) sync_directory(parent);
  return removed;
}

}  // namespace lockstep
