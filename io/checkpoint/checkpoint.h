#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/status/status.h"
#include "core/training/callbacks.h"
#include "core/training/sequential.h"

// Checkpoints of a run: RUN_DIR/checkpoints/step-00012345/
//
//   model.weights.h5   weights and optimizer state in Keras 3's layout
//   config.json        the model in Keras 3's form, so that the checkpoint can be loaded alone
//   config.yaml        the run's configuration, so that the checkpoint can be resumed alone (not in those of version 0.1.0)
//   state.json         CheckpointState
//   manifest.json      size and SHA-256 of each of them; written last
//
// A checkpoint is written as .partial-step-..., synced and renamed, and the parent is synced: a directory named step-* is whole, or
// somebody damaged it, which the manifest shows. All functions are called on one rank (writing: rank 0; reading: every rank may); none is
// collective. CheckpointWriter (io/checkpoint/writer.h) writes them beside the training.
namespace lockstep {

/// Where a training stands, beside the model: all that fit() needs to go on.
struct CheckpointState {
  std::int64_t epoch = 0;          ///< 0-based: the epoch to go on with
  std::int64_t step_in_epoch = 0;  ///< steps of it that are done
  std::int64_t global_step = 0;    ///< since the first epoch
  std::int64_t epochs = 0;         ///< as asked for
  std::int64_t steps_per_epoch = 0;
  std::int64_t batch_size = 0;  ///< global
  std::int64_t shards = 0;      ///< logical shards V
  std::uint64_t seed = 0;
  bool shuffle = true;
  std::int64_t rows = 0;                              ///< that are trained on; 0: not known
  std::optional<std::int64_t> samples = {};           ///< rows trained on so far, over all starts of the run
  std::optional<double> seconds = {};                 ///< of fit() so far, over all starts of the run
  std::map<std::string, std::string> data = {};       ///< what the data sets hold, "training" -> "1200 rows, ..."; missing: not known
  std::string loss = {};                              ///< its name; empty: not known
  std::optional<float> learning_rate = {};            ///< as configured; null: a schedule. The weight file has what the optimizer went by
  std::vector<std::string> metric_names = {};         ///< "loss" first
  History history = {};                               ///< of the finished epochs
  EpochSums sums = {};                                ///< of the steps done in this epoch
  std::map<std::string, std::string> callbacks = {};  ///< Callback::save_state by name
  bool healthy = true;                                ///< loss and weights are finite numbers
  std::string monitor = {};                           ///< at an epoch's end: the value that tells the best checkpoint, "val_loss" ...
  double score = 0;                                   ///< ... and what it was
  /// What has to stay for the same bits to come out: "ISA" -> "AVX512", "grain rows" -> "16", "exchange" -> "factors", ...
  std::map<std::string, std::string> facts = {};
  std::map<std::string, std::string> versions = {};  ///< "lockstep" -> "0.1.0", ...
  double time = 0;                                   ///< seconds since 1970 (UTC) when it was written; set by write_checkpoint
  std::string run_config = {};  ///< config.yaml, which is not read back with the rest: checkpoint_run_config; empty: none is written
};

/// Writes a checkpoint and returns its place; `weights`: the bytes of its weight file, `config`: its config.json. One of the same step is
/// replaced. On an Error (a SystemError of durable_file.h; a full disk with needed and free bytes) all older checkpoints are as they were.
/// Removes what earlier, killed writers left unfinished.
CheckpointInfo write_checkpoint(const std::string& run_dir, std::string_view weights, const std::string& config,
                                const CheckpointState& state);
/// The same of a built and compiled model.
CheckpointInfo write_checkpoint(const std::string& run_dir, Sequential& model, const CheckpointState& state);

/// Whether this directory is a checkpoint, in a run directory or elsewhere: it holds a manifest.json.
bool is_checkpoint(const std::string& path);

/// Path of the configuration of the run that wrote the checkpoint. An Error (kUsage) if the checkpoint has none.
std::string checkpoint_run_config(const std::string& path);

/// state.json, not verified.
CheckpointState read_checkpoint_state(const std::string& path);

/// Verifies sizes and checksums and that the state can be read; the Error names the file, expected and found. Returns the state.
CheckpointState verify_checkpoint(const std::string& path);

/// Verifies, then puts weights and optimizer state into a built and compiled model of the same architecture and optimizer. An Error
/// (another model, another optimizer) leaves it as it was.
CheckpointState load_checkpoint(const std::string& path, Sequential& model);
/// The model alone, from the checkpoint's own config.json.
Sequential load_checkpoint_model(const std::string& path);

}  // namespace lockstep
