#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "core/training/sequential.h"
#include "io/hdf5/dataset.h"

namespace lockstep {

/// Where rows come from. Relative paths are relative to the current directory.
struct DataConfig {
  std::string file;   ///< a path or a glob pattern
  std::string group;  ///< "train"
  Hdf5Options options;
};

/// A layer Normalization with `adapt: true` gets its statistics from the training rows before the first step.
struct ModelConfig {
  std::vector<LayerSpec> layers;
  std::vector<std::size_t> adapt;  ///< indices of the layers to adapt
  std::string keras = {};          ///< the model is that of this file, with its weights; `layers` is empty then
};

/// When checkpoints are written besides at the end, at a stop and on request, and which stay.
struct CheckpointConfig {
  std::int64_t every_epochs = 1;  ///< 0: not by epochs
  std::int64_t every_steps = 0;   ///< 0: not by steps
  double every_seconds = 0;       ///< 0: not by time
  std::int64_t keep = 3;          ///< newest ones that stay, besides the best and the last healthy one
  std::string monitor;  ///< value that tells the best: "val_loss", "accuracy"; empty: val_loss where there is validation, else loss
  std::optional<bool> larger_is_better;  ///< of `monitor`; unset: as its name says
};

/// A run as a YAML file describes it; configs/reference.yaml explains every key.
struct RunConfig {
  std::string name;
  std::uint64_t seed = 0;
  DataConfig train;
  std::optional<DataConfig> validation, test;
  ModelConfig model;
  std::string initial_weights;  ///< a file whose weights the training starts from; empty: those of the model
  CompileOptions compile;
  std::optional<DtypePolicy> mixed_precision = {};  ///< unset: float32, or what a Keras file says
  Arithmetic arithmetic = Arithmetic::onednn;
  FitOptions
      fit;  ///< epochs, batch_size, shuffle, validation_split, class_weight, shards, threads, allreduce, exchange, progress, reproducible
  double timeout = 60;  ///< seconds without any progress, beyond the slowest recent step, after which the job is ended
  bool coordinator = true;
  CoordinatorOptions coordinator_options;
  CheckpointConfig checkpoint;
  std::optional<std::filesystem::perms> run_dir_mode;  ///< unset: 0700 when it is made
  std::string yaml;                                    ///< the whole configuration with overrides applied, for the run directory

  /// An uncompiled model with seed and dtype policy set. One of a Keras file is built and has the file's weights.
  Sequential make_model() const;
};

/// Reads a configuration text. `overrides`: "training.epochs=3", "model.3.Dense.units=64", applied before reading. Unknown keys, wrong
/// types and values are Errors (kUsage) that name `file`, line and key.
RunConfig parse_config(const std::string& text, const std::string& file, const std::vector<std::string>& overrides = {});

/// Loss and metrics of two texts as in a configuration: "mse" or "{huber: {delta: 2}}", and "mae, RootMeanSquaredError". What is wrong with
/// them is an Error (kUsage).
CompileOptions parse_scores(const std::string& loss, const std::string& metrics);

/// The text of a configuration file, or an Error that says what is there instead.
std::string read_config_file(const std::filesystem::path& path);

}  // namespace lockstep
