#include "launch/train/data_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/training/plan.h"
#include "io/config/keras_model.h"
#include "io/keras/config_reader.h"
#include "io/keras/keras_file.h"

namespace lockstep {
namespace {

/// Classes and columns in the order of the training data.
std::optional<Hdf5Dataset> open_beside(const Hdf5Dataset& train, const std::optional<DataConfig>& data) {
  if (!data) return {};
  Hdf5Options options = data->options;
  options.names = train.names();
  return Hdf5Dataset(data->file, data->group, options);
}

/// Collective.
void check_rows(const RunConfig& config, DataSets& data, const RowSplit& rows, Sequential& model, const World& world) {
  const ScopedStage stage(world.activity(), Stage::opening_data);
  if (rows.validation.size() == 0) {
    data.train_facts = model.check_rows(data.train, world, config.fit.class_weight);
  } else {
    data.train_facts = model.check_rows(RowSlice(data.train, rows.train), world, config.fit.class_weight);
    data.validation_facts = model.check_rows(RowSlice(data.train, rows.validation), world);
  }
  if (data.validation) data.validation_facts = model.check_rows(*data.validation, world);
  if (data.test) model.check_rows(*data.test, world);
}

/// Statistics of Normalization layers from the training rows. Collective.
void adapt(const RunConfig& config, const DataSets& data, const RowSplit& split, const Sequential& model, const World& world) {
  const RowSlice rows(data.train, split.train);
  for (const std::size_t layer : config.model.adapt) {
    if (layer > 1 || (layer == 1 && !std::holds_alternative<Input>(config.model.layers[0]))) {
      throw AgreedError("'model." + std::to_string(layer) +
                            "' (Normalization): adapt works on the rows of the data set, so the layer must come first, after Input",
                        kUsage, 0, world.hostname());
    }
    Normalization normalization = std::get<Normalization>(model.layers()[layer]);  // a copy shares its statistics
    normalization.adapt(rows, world);
  }
}

}  // namespace

DataSets::DataSets(const RunConfig& config)
    : train(config.train.file, config.train.group, config.train.options),
      validation(open_beside(train, config.validation)),
      test(open_beside(train, config.test)) {}

std::vector<std::string> DataSets::notes() const {
  std::vector<std::string> notes = train.notes();
  for (const std::optional<Hdf5Dataset>* data : {&validation, &test}) {
    if (*data) notes.insert(notes.end(), (*data)->notes().begin(), (*data)->notes().end());
  }
  std::sort(notes.begin(), notes.end());
  notes.erase(std::unique(notes.begin(), notes.end()), notes.end());
  return notes;
}

Sequential make_model(RunConfig& config, DataSets& data, const std::string& checkpoint, const World& world) {
  std::optional<StoredModel> made;
  RowSplit split;
  if (data.validation) config.fit.validation_data = &*data.validation;
  world.agree([&] {
    const bool kept = !config.model.keras.empty() && !checkpoint.empty();
    made.emplace(kept                         ? StoredModel{remade(model_from_config("config.json of the checkpoint", checkpoint), config)}
                 : config.model.keras.empty() ? StoredModel{config.make_model()}
                                              : open_keras_model(config));
    made->model.compile(config.compile);
    made->model.check(data.train);  // before a run directory is made
    if (data.validation) made->model.check(*data.validation);
    if (data.test) made->model.check(*data.test);
    split = split_rows(data.train, config.fit);
  });
  if (world.rank() == 0) {
    for (const std::string& note : made->notes) fmt::print(stderr, "warning: {}\n", note);
  }
  Sequential model = std::move(made->model);
  check_rows(config, data, split, model, world);
  config.fit.rows_checked = true;
  if (!checkpoint.empty()) return model;
  adapt(config, data, split, model, world);
  if (!config.initial_weights.empty()) world.agree([&] { load_initial_weights(model, config.initial_weights, made->layers); });
  return model;
}

}  // namespace lockstep
