#include "io/checkpoint/checkpoint.h"

#include <fcntl.h>
#include <fmt/format.h>

#include <cerrno>
#include <chrono>
#include <cstdio>
#include <filesystem>

#include "cluster/error.h"
#include "cluster/json.h"
#include "io/checkpoint/folder.h"
#include "io/checkpoint/state.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "io/keras/config.h"
#include "io/keras/config_reader.h"
#include "io/keras/weights.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kWeights = "model.weights.h5";
constexpr const char* kConfig = "config.json";
constexpr const char* kRunConfig = "config.yaml";
constexpr const char* kState = "state.json";
constexpr const char* kManifest = "manifest.json";

[[noreturn]] void fail(const std::string& path, const char* what, const std::error_code& reason) {
  throw SystemError(path, what, reason.value());
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

using Files = std::vector<std::pair<const char*, std::string_view>>;

void write_files(const std::string& directory, const Files& files) {
  Json manifest{{"format", 1}, {"files", Json::object()}};
  for (const auto& [name, bytes] : files) {
    write_synced(directory + "/" + name, bytes);
    manifest["files"][name] = {{"bytes", bytes.size()}, {"sha256", hex_digest(Digest::sha256, bytes)}};
  }
  write_synced(directory + "/" + kManifest, manifest.dump(2) + "\n");
  sync_directory(directory);
}

/// Tells beforehand what would fail half-way, and in the same words as a write that has failed.
void check_room(const std::string& parent, std::uint64_t needed) {
  std::error_code reason;
  const std::uint64_t free = fs::space(parent, reason).available;
  if (!reason && free < needed) throw SystemError(parent, "no room for a checkpoint", ENOSPC);
}

std::string room(const std::string& parent, std::uint64_t needed) {
  std::error_code reason;
  const std::uint64_t free = fs::space(parent, reason).available;
  return fmt::format("; a checkpoint needs {} bytes, {} are free (a quota may leave less)", needed,
                     reason ? "unknown" : std::to_string(free));
}

/// Checks sizes and checksums of all files against the manifest.
void check_files(const std::string& path) {
  const std::string place = path + "/" + kManifest;
  const Json manifest = Json::parse_or_null(read_file(place));
  if (manifest["format"] != 1 || !manifest["files"].is_object()) {
    throw Error(place + ": damaged, or of a newer Lockstep: expected format 1 and a list of files");
  }
  for (const char* name : {kWeights, kConfig, kRunConfig, kState}) {
    const Json& entry = manifest["files"][name];
    if (name == kRunConfig && entry.is_null()) continue;  // not in the first checkpoints
    if (!entry["bytes"].is_integer() || !entry["sha256"].is_string()) {
      throw Error(place + ": says nothing about " + name);
    }
    const std::string file = path + "/" + name;
    const FileDigest found = file_digest(file);
    const Json& bytes = entry["bytes"];
    const auto sha256 = entry["sha256"].get<std::string>();
    if (bytes != found.bytes) {
      throw Error(fmt::format("{}: expected {} bytes, found {}; the file was cut short or changed", file, bytes.dump(), found.bytes));
    }
    if (found.sha256 != sha256) throw Error(fmt::format("{}: damaged: expected SHA-256 {}, found {}", file, sha256, found.sha256));
  }
}

}  // namespace

CheckpointInfo write_checkpoint(const std::string& run_dir, std::string_view weights, const std::string& config,
                                const CheckpointState& given) {
  CheckpointState state = given;
  state.time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  const std::string text = checkpoint_state_json(state);
  const std::string parent = checkpoint_folder(run_dir), name = checkpoint_name(state.global_step), path = parent + "/" + name;
  const std::string partial = parent + "/" + std::string(kPartialCheckpoint) + name;
  const std::uint64_t needed =
      weights.size() + config.size() + state.run_config.size() + text.size() + (16U << 10U);  // manifest, directories
  std::error_code reason;
  fs::create_directory(parent, reason);  // not the run directory: one that is gone must not come back
  if (reason == std::errc::file_exists) reason = std::make_error_code(std::errc::not_a_directory);
  if (reason) fail(parent, "cannot create it", reason);
  try {
    remove_partial_checkpoints(parent);
    check_room(parent, needed);
    fs::create_directory(partial, reason);
    if (reason) fail(partial, "cannot create it", reason);
    Files files{{kWeights, weights}, {kConfig, config}, {kState, text}};
    if (!state.run_config.empty()) files.emplace_back(kRunConfig, state.run_config);
    write_files(partial, files);
    take_place(partial, path);
    sync_directory(parent);
  } catch (const SystemError& error) {
    fs::remove_all(partial, reason);  // room for the next try; the reason of the failure is on its way
    if (error.full()) throw SystemError(error, room(parent, needed));
    throw;
  }
  fs::remove_all(partial, reason);
  return {path, state.epoch + 1, state.global_step, state.time, checkpoint_bytes(path)};
}

CheckpointInfo write_checkpoint(const std::string& run_dir, Sequential& model, const CheckpointState& state) {
  if (!model.compiled() || !model.built()) throw Error("a checkpoint needs a compiled model with weights", kUsage);
  return write_checkpoint(run_dir, weights_image(model, "checkpoint"), model_config(model), state);
}

bool is_checkpoint(const std::string& path) { return path_exists(path + "/" + kManifest); }

std::string checkpoint_run_config(const std::string& path) {
  const std::string file = path + "/" + kRunConfig;
  if (path_exists(file)) return file;
  throw Error(path +
                  " holds no config.yaml (an earlier Lockstep wrote it), so it cannot be resumed "
                  "without its run directory; give that one, RUN_DIR/checkpoints/step-...",
              kUsage);
}

CheckpointState read_checkpoint_state(const std::string& path) {
  const std::string file = path + "/" + kState;
  CheckpointState state = checkpoint_state_from_json(file, read_file(file));
  fs::path place(path);
  if (!place.has_filename()) place = place.parent_path();  // "step-00000007/"
  const std::int64_t step = checkpoint_step(place.filename().string());
  if (step >= 0 && step != state.global_step) {
    throw Error(
        fmt::format("{}: is the state of step {}, but its directory is named for step {}; was it renamed?", file, state.global_step, step));
  }
  return state;
}

CheckpointState verify_checkpoint(const std::string& path) {
  check_files(path);
  return read_checkpoint_state(path);
}

CheckpointState load_checkpoint(const std::string& path, Sequential& model) {
  CheckpointState state = verify_checkpoint(path);
  load_weights_and_optimizer(model, path + "/" + kWeights);
  return state;
}

Sequential load_checkpoint_model(const std::string& path) {
  verify_checkpoint(path);
  Sequential model = model_from_config(path + "/" + kConfig, read_file(path + "/" + kConfig));
  load_weights_and_optimizer(model, path + "/" + kWeights);
  return model;
}

}  // namespace lockstep
