#pragma once
#include <optional>
#include <string>

#include "cluster/world.h"
#include "io/config/config.h"

namespace lockstep {

/// A trained model as the user names it: RUN_DIR (its newest whole checkpoint) or MODEL.keras.
struct SavedModel {
  Sequential model;
  std::optional<RunConfig> config;  ///< of a run directory
};

/// Rank 0's file decides; every rank reads it. Collective.
SavedModel load_saved_model(const std::string& source, const World& world);

/// The rows that `--data`, `--group` and the run's configuration name: by default the test rows, else validation, else training rows.
DataConfig choose_data(const SavedModel& saved, const std::string& file, const std::string& group);

}  // namespace lockstep
