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

/// The compiled model of a configuration, with its initial weights. Checks it against the shapes and all rows of the data sets, so that no
/// flaw in them ends a long run, and sets config.fit.rows_checked. Adapts Normalization layers unless `checkpoint` is given: the
/// config.json of the checkpoint that the run resumes, which also replaces the configuration's Keras file. Prints that file's notes on rank
/// 0. Sets the facts of `data`. Collective.
Sequential make_model(RunConfig& config, DataSets& data, const std::string& checkpoint, const World& world);

}  // namespace lockstep
