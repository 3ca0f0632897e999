#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cluster/world.h"
#include "core/training/sequential.h"
#include "io/config/config.h"
#include "io/hdf5/dataset.h"

namespace lockstep {

/// The data sets of a training.
struct DataSets {
  /// Opens them. A file that a rank cannot open is its Error: call it within World::agree.
  explicit DataSets(const RunConfig& config);

  /// What was brought into another order, each sentence once.
  std::vector<std::string> notes() const;

  Hdf5Dataset train;
  std::optional<Hdf5Dataset> validation, test;
  RowFacts train_facts, validation_facts;  ///< of the rows that train and validate; since make_model()
};

/// The compiled model of a configuration, checked against shapes and rows of its data sets, all truth and weights included: nothing about
/// them must be told at the end of a long run. Decides the dtype policy, and adapts Normalization layers unless a checkpoint has their
/// statistics, and puts the initial weights in. `checkpoint`: the config.json of the one that the run goes on from, which stands for a
/// Keras file of the configuration that may be gone; empty: there is none. Sets config.fit.rows_checked. Collective.
Sequential make_model(RunConfig& config, DataSets& data, const std::string& checkpoint, const World& world);

}  // namespace lockstep
