#pragma once
#include <optional>
#include <string>
#include <vector>

#include "cluster/world.h"
#include "core/training/sequential.h"
#include "io/config/config.h"
#include "io/hdf5/dataset.h"
#include "io/keras/stored_model.h"

namespace lockstep {

/// The data sets of a training.
struct DataSets {
  /// Opens them. Each takes the order of the names before it, of which those of the `model` are the first. A file that a rank cannot open
  /// is its Error: call it within World::agree.
  DataSets(const RunConfig& config, const DataNames& model);

  /// Of the model, and where it has none of the first data set that has.
  const DataNames& names() const;

  /// What was brought into another order, each sentence once.
  std::vector<std::string> notes() const;

  Hdf5Dataset train;
  std::optional<Hdf5Dataset> validation, test;
  RowFacts train_facts, validation_facts;  ///< of the rows that train and validate; since make_model()
};

/// The model of a configuration, not compiled. `checkpoint`: the config.json of the checkpoint that the run resumes, or empty; it replaces
/// the configuration's Keras file. Either file's names are the model's, on all ranks those of rank 0. Collective.
StoredModel first_model(const RunConfig& config, const std::string& checkpoint, const World& world);

/// That model compiled, with its initial weights and the names of the data. Checks it against the shapes and all rows of the data sets, so
/// that no flaw in them ends a long run, and sets config.fit.rows_checked. Adapts Normalization layers unless the run `resumes`. Prints the
/// notes of a Keras file on rank 0. Sets the facts of `data`. Collective.
Sequential make_model(StoredModel made, RunConfig& config, DataSets& data, bool resumes, const World& world);

}  // namespace lockstep
