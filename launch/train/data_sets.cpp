#include "launch/train/data_sets.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>

#include "core/training/plan.h"
#include "io/config/keras_model.h"
#include "io/data/names/names_json.h"
#include "io/keras/config_reader.h"
#include "io/keras/keras_file.h"

namespace lockstep {
namespace {

/// Classes and columns in the order of these names.
Hdf5Dataset open_named(const DataConfig& data, const DataNames& names) {
  Hdf5Options options = data.options;
  options.names = names;
  return {data.file, data.group, options};
}

std::optional<Hdf5Dataset> open_named(const std::optional<DataConfig>& data, const DataNames& names) {
  if (!data) return {};
  return open_named(*data, names);
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

/// Labels that do not count from 0 are the names of their classes.
DataNames with_labels(DataNames names, std::int64_t first_label, std::int64_t output_width) {
  if (first_label == 0 || !names.class_names.empty()) return names;
  for (std::int64_t c = 0; c < std::max<std::int64_t>(output_width, 2); ++c) names.class_names.push_back(std::to_string(first_label + c));
  return names;
}

}  // namespace

DataSets::DataSets(const RunConfig& config, const DataNames& model)
    : train(open_named(config.train, model)),
      validation(open_named(config.validation, train.names())),
      test(open_named(config.test, validation ? validation->names() : train.names())) {}

const DataNames& DataSets::names() const { return test ? test->names() : validation ? validation->names() : train.names(); }

std::vector<std::string> DataSets::notes() const {
  std::vector<std::string> notes = train.notes();
  for (const std::optional<Hdf5Dataset>* data : {&validation, &test}) {
    if (*data) notes.insert(notes.end(), (*data)->notes().begin(), (*data)->notes().end());
  }
  std::sort(notes.begin(), notes.end());
  notes.erase(std::unique(notes.begin(), notes.end()), notes.end());
  return notes;
}

StoredModel first_model(const RunConfig& config, const std::string& checkpoint, const World& world) {
  std::optional<StoredModel> made;
  world.agree([&] {
    const std::string place = "config.json of the checkpoint";
    const bool kept = !config.model.keras.empty() && !checkpoint.empty();
    made.emplace(kept                         ? StoredModel{remade(model_from_config(place, checkpoint), config)}
                 : config.model.keras.empty() ? StoredModel{config.make_model()}
                                              : open_keras_model(config));
    if (!checkpoint.empty()) made->model.set_names(names_of_config(checkpoint, "the checkpoint"));
  });
  made->model.set_names(broadcast_names(made->model.names(), world));
  return std::move(*made);
}

Sequential make_model(StoredModel made, RunConfig& config, DataSets& data, bool resumes, const World& world) {
  RowSplit split;
  if (data.validation) config.fit.validation_data = &*data.validation;
  Sequential model = std::move(made.model);
  world.agree([&] {
    model.compile(config.compile);
    model.check(data.train);  // before a run directory is made
    model.set_names(with_labels(data.names(), config.train.options.first_label, model.output_width()));
    if (data.validation) model.check(*data.validation);
    if (data.test) model.check(*data.test);
    split = split_rows(data.train, config.fit);
  });
  if (world.rank() == 0) {
    for (const std::string& note : made.notes) fmt::print(stderr, "warning: {}\n", note);
  }
  check_rows(config, data, split, model, world);
  config.fit.rows_checked = true;
  if (resumes) return model;
  adapt(config, data, split, model, world);
  if (!config.initial_weights.empty()) world.agree([&] { load_initial_weights(model, config.initial_weights, made.layers); });
  return model;
}

}  // namespace lockstep
