#pragma once
#include <optional>
#include <string>

#include "cluster/world.h"
#include "io/config/config.h"
#include "io/hdf5/dataset.h"
#include "io/keras/stored_model.h"

namespace lockstep {

/// A trained model as the user names it: RUN_DIR (its newest whole checkpoint), or MODEL.keras or MODEL.h5.
struct SavedModel {
  Sequential model;
  std::optional<RunConfig> config = {};  ///< of a run directory
  CompileConfig compile = {};            ///< of a file
  std::vector<StoredLayer> layers = {};  ///< of a file: as it has them, with models within; empty: as the model has them
};

/// How --help names the models that load_saved_model() takes.
inline constexpr const char* kSavedModels =
    "RUN_DIR (its newest checkpoint), a checkpoint (RUN_DIR/checkpoints/step-...), MODEL.keras or MODEL.h5";

/// A model file; what is computed otherwise than in Keras is a warning. `needs_compile`: whether the caller uses its compile configuration;
/// one that cannot be used is a warning where it does not.
SavedModel open_model_file(const std::string& path, bool needs_compile, bool warns = true);

/// Rank 0's file decides; every rank reads it. `needs_compile`: see open_model_file(). Collective.
SavedModel load_saved_model(const std::string& source, const World& world, bool needs_compile = false);

/// The rows that `--data`, `--group` and the run's configuration name: by default the test rows, else validation, else training rows.
DataConfig choose_data(const SavedModel& saved, const std::string& file, const std::string& group);

/// What of the data was brought into another order, on stderr.
void print_notes(const Hdf5Dataset& data);

}  // namespace lockstep
