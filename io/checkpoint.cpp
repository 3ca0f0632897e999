#include "io/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <chrono>
#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "cluster/error.h"
#include "io/checkpoint_state.h"
#include "io/durable_file.h"
#include "io/file_bytes.h"
#include "io/keras_config.h"
#include "io/keras_weights.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Json = nlohmann::ordered_json;

constexpr const char* kWeights = "model.weights.h5";
constexpr const char* kConfig = "config.json";
constexpr const char* kState = "state.json";
constexpr const char* kManifest = "manifest.json";
constexpr std::string_view kPartial = ".partial-", kPrefix = "step-";

std::string folder(const std::string& run_dir) { return run_dir + "/checkpoints"; }
std::string step_name(std::int64_t step) { return fmt::format("step-{:08}", step); }

/// Step of a directory's name, -1 if it is no checkpoint's.
std::int64_t step_of(const std::string& name) {
  if (!name.starts_with(kPrefix)) return -1;
  std::int64_t step = -1;
  const char* end = name.data() + name.size();
  const auto [stopped, failure] = std::from_chars(name.data() + kPrefix.size(), end, step);
  return failure == std::errc() && stopped == end && name == step_name(step) ? step : -1;
}

[[noreturn]] void fail(const std::string& path, const char* what, const std::error_code& reason) {
  throw Error(path + ": " + what + ": " + reason.message());
}

void remove_tree(const std::string& path) {
  std::error_code reason;
  fs::remove_all(path, reason);
  if (reason) fail(path, "cannot remove it", reason);
}

void rename(const std::string& from, const std::string& to) {
  std::error_code reason;
  fs::rename(from, to, reason);
  if (reason) fail(to, "cannot take its final name", reason);
}

/// Puts `partial` under `path`, where a checkpoint of the same step may stand: then they change places in one instant where the file system
/// can do that, and the old one is `partial`.
void take_place(const std::string& partial, const std::string& path) {
  if (renameat2(AT_FDCWD, partial.c_str(), AT_FDCWD, path.c_str(), RENAME_EXCHANGE) == 0) return;
  if (errno == EINVAL || errno == ENOSYS) remove_tree(path);  // a directory cannot be renamed over a full one
  rename(partial, path);
}

/// What killed writers left behind; nobody else writes into this run.
void remove_leftovers(const std::string& directory) {
  std::vector<std::string> leftovers;
  for (const fs::directory_entry& entry : fs::directory_iterator(directory)) {
    if (entry.path().filename().string().starts_with(kPartial)) leftovers.push_back(entry.path().string());
  }
  for (const std::string& path : leftovers) remove_tree(path);
}

void write_files(const std::string& directory, const std::vector<std::pair<std::string, std::string>>& files) {
  Json manifest{{"format", 1}, {"files", Json::object()}};
  for (const auto& [name, bytes] : files) {
    write_synced(directory + "/" + name, bytes);
    manifest["files"][name] = {{"bytes", bytes.size()}, {"sha256", hex_digest(Digest::sha256, bytes)}};
  }
  write_synced(directory + "/" + kManifest, manifest.dump(2) + "\n");
  sync_directory(directory);
}

/// The three files' bytes by name, each checked against the manifest.
std::map<std::string, std::string> read_verified(const std::string& path) {
  const std::string place = path + "/" + kManifest;
  const Json manifest = Json::parse(read_file(place), nullptr, false);
  if (manifest.is_discarded() || !manifest.is_object() || manifest.value("format", 0) != 1 || !manifest.value("files", Json()).is_object()) {
    throw Error(place + ": damaged, or of a newer Lockstep: expected format 1 and a list of files");
  }
  std::map<std::string, std::string> files;
  for (const char* name : {kWeights, kConfig, kState}) {
    const Json entry = manifest["files"].value(name, Json());
    if (!entry.is_object() || !entry.value("bytes", Json()).is_number_unsigned() || !entry.value("sha256", Json()).is_string()) {
      throw Error(place + ": says nothing about " + name);
    }
    const std::string file = path + "/" + name;
    std::string bytes = read_file(file);
    if (bytes.size() != entry["bytes"]) throw Error(fmt::format("{}: expected {} bytes, found {}; the file was cut short or changed", file, entry["bytes"].dump(), bytes.size()));
    const std::string found = hex_digest(Digest::sha256, bytes);
    if (found != entry["sha256"]) throw Error(fmt::format("{}: damaged: expected SHA-256 {}, found {}", file, entry["sha256"].get<std::string>(), found));
    files.emplace(name, std::move(bytes));
  }
  return files;
}

void load_all_weights(Sequential& model, const std::string& path, const std::string& bytes) {
  const std::string place = path + "/" + kWeights;
  if (!load_weights_image(model, place, bytes)) {
    throw Error(place + ": holds no state of the optimizer that the model is compiled with (" + class_name(model.compile_options().optimizer) +
                " with its slots); resume with the settings the run was started with");
  }
}

}  // namespace

CheckpointInfo write_checkpoint(const std::string& run_dir, Sequential& model, const CheckpointState& given) {
  if (!model.compiled() || !model.built()) throw Error("a checkpoint needs a compiled model with weights", kUsage);
  CheckpointState state = given;
  state.time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string parent = folder(run_dir), name = step_name(state.global_step), path = parent + "/" + name;
  const std::string partial = parent + "/" + std::string(kPartial) + name;
  std::error_code reason;
  fs::create_directories(parent, reason);
  if (reason) fail(parent, "cannot create it", reason);
  remove_leftovers(parent);
  fs::create_directory(partial, reason);
  if (reason) fail(partial, "cannot create it", reason);
  try {
    write_files(partial, {{kWeights, weights_image(model, partial + "/" + kWeights)}, {kConfig, model_config(model)}, {kState, checkpoint_state_json(state)}});
    take_place(partial, path);
  } catch (...) {
    fs::remove_all(partial, reason);  // room for the next try; the reason of the failure is on its way
    throw;
  }
  sync_directory(parent);
  fs::remove_all(partial, reason);
  std::int64_t bytes = 0;
  for (const fs::directory_entry& file : fs::directory_iterator(path)) bytes += static_cast<std::int64_t>(file.file_size());
  return {path, state.epoch + 1, state.global_step, state.time, bytes};
}

std::vector<CheckpointInfo> list_checkpoints(const std::string& run_dir) {
  std::vector<CheckpointInfo> checkpoints;
  std::error_code reason;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder(run_dir), reason)) {
    const std::int64_t step = step_of(entry.path().filename().string());
    if (step < 0 || !entry.is_directory()) continue;
    CheckpointInfo info{entry.path().string(), 0, step, 0, 0};
    for (const fs::directory_entry& file : fs::directory_iterator(entry.path(), reason)) info.bytes += static_cast<std::int64_t>(file.file_size(reason));
    try {
      const CheckpointState state = checkpoint_state_from_json(info.path + "/" + kState, read_file(info.path + "/" + kState));
      info.epoch = state.epoch + 1;
      info.time = state.time;
    } catch (const Error&) {  // a damaged one is listed, too: its name says the step
    }
    checkpoints.push_back(std::move(info));
  }
  std::sort(checkpoints.begin(), checkpoints.end(), [](const CheckpointInfo& a, const CheckpointInfo& b) { return a.step < b.step; });
  return checkpoints;
}

void verify_checkpoint(const std::string& path) { read_verified(path); }

CheckpointState load_checkpoint(const std::string& path, Sequential& model) {
  const std::map<std::string, std::string> files = read_verified(path);
  CheckpointState state = checkpoint_state_from_json(path + "/" + kState, files.at(kState));
  load_all_weights(model, path, files.at(kWeights));
  return state;
}

Sequential load_checkpoint_model(const std::string& path) {
  const std::map<std::string, std::string> files = read_verified(path);
  Sequential model = model_from_config(path + "/" + kConfig, files.at(kConfig));
  load_all_weights(model, path, files.at(kWeights));
  return model;
}

NewestCheckpoint newest_checkpoint(const std::string& run_dir) {
  NewestCheckpoint newest;
  std::vector<CheckpointInfo> checkpoints = list_checkpoints(run_dir);
  while (!checkpoints.empty() && !newest.found) {
    try {
      verify_checkpoint(checkpoints.back().path);
      newest.found = checkpoints.back();
    } catch (const Error& error) {
      newest.skipped.emplace_back(error.what());
    }
    checkpoints.pop_back();
  }
  return newest;
}

std::int64_t prune_checkpoints(const std::string& run_dir, std::int64_t keep, std::int64_t best) {
  const std::vector<CheckpointInfo> checkpoints = list_checkpoints(run_dir);
  const auto count = static_cast<std::int64_t>(checkpoints.size());
  std::int64_t removed = 0;
  for (std::int64_t i = 0; i < count - std::max<std::int64_t>(1, keep); ++i) {
    const CheckpointInfo& checkpoint = checkpoints[static_cast<std::size_t>(i)];
    if (checkpoint.step == best) continue;
    const std::string gone = folder(run_dir) + "/" + std::string(kPartial) + "old-" + step_name(checkpoint.step);
    rename(checkpoint.path, gone);  // in one instant: nobody finds half a checkpoint
    remove_tree(gone);
    ++removed;
  }
  if (removed > 0) sync_directory(folder(run_dir));
  return removed;
}

}  // namespace lockstep
