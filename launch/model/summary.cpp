// lockstep summary: Keras' table of a model's layers, or the arrays of a file of weights.
#include "core/training/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/folder.h"
#include "io/config/config.h"
#include "io/data/name_list.h"
#include "io/data/names/names_json.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/file.h"
#include "io/import/csv/recipe.h"
#include "io/keras/keras_file.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/model/saved_model.h"
#include "launch/terminal.h"

namespace lockstep {
namespace {

/// From a configuration, a run directory's configuration or a Keras file. Without an Input layer the shape comes from the training data.
Sequential named_model(const std::string& source) {
  const bool is_run = std::filesystem::is_directory(source);
  if (!is_run && is_model_file(source)) return open_model_file(source, false).model;
  const std::filesystem::path file = is_run ? std::filesystem::path(source) / "config.yaml" : std::filesystem::path(source);
  const RunConfig config = parse_config(read_config_file(file), file.string());
  const NewestCheckpoint newest =
      is_run && !config.model.keras.empty() ? newest_checkpoint(source) : NewestCheckpoint();  // the Keras file may be gone
  Sequential model = newest.found ? load_checkpoint_model(newest.found->path) : config.make_model();
  model.compile(config.compile);
  if (!model.built()) model.build(Hdf5Dataset(config.train.file, config.train.group, config.train.options).sample_shape());
  return model;
}

/// Those of a run's newest checkpoint, of a checkpoint or of a model file.
DataNames names_of(const std::string& source, const Sequential& model) {
  if (!std::filesystem::is_directory(source)) return model.names();
  std::string checkpoint = source;
  if (!is_checkpoint(source)) {
    const std::vector<CheckpointInfo> all = list_checkpoints(source);
    if (all.empty()) return {};
    checkpoint = all.back().path;
  }
  const std::string config = checkpoint + "/config.json";
  return names_of_config(read_file(config), config);
}

std::string reading_text(const DataNames& names) {
  const CsvRecipe recipe = parse_recipe(names.reading, names.origin);
  std::string text = fmt::format("separator '{}', decimal sign '{}'", separator_name(recipe.dialect.separator), recipe.dialect.decimal);
  const auto add = [&](const char* what, const std::vector<std::string>& list) {
    if (!list.empty()) text += fmt::format("; {}: {}", what, name_list(list));
  };
  std::vector<std::string> one_hot, ordinal, filled;
  for (const auto& [column, categories] : recipe.categories) (categories.one_hot ? one_hot : ordinal).push_back(column);
  for (const auto& [column, value] : recipe.fill) filled.push_back(column);
  add("one-hot", one_hot);
  add("ordinal", ordinal);
  add("missing values are filled", filled);
  add("left out", recipe.drop);
  return text;
}

/// What classes and columns are called, a line each.
std::string names_text(const DataNames& names) {
  std::string text;
  const auto add = [&](const char* what, const std::string& line) {
    if (!line.empty()) text += fmt::format(" {:<10} {}\n", what, line);
  };
  add("classes:", name_list(names.class_names));
  add("features:", name_list(names.feature_names));
  add("targets:", name_list(names.target_names));
  if (!names.reading.empty()) add("tables:", reading_text(names));
  return text;
}

/// A file of weights does not say of what layers they are.
void print_arrays(const std::string& path) {
  const Hdf5File file = Hdf5File::open(path);
  std::int64_t total = 0;
  for (const std::string& name : file.datasets()) {
    const ArrayInfo info = file.info(name);
    const std::int64_t elements = info.shape.empty() ? 1 : info.rows() * info.row_elements();
    total += elements;
    fmt::print("{:<50} {:<16} {:>15}\n", name, to_string(info.shape), with_separators(elements));
  }
  fmt::print("{} numbers in all; the file holds weights and no model: load them into one with initial_weights\n", with_separators(total));
}

}  // namespace

void add_summary(Command& app) {
  auto source = std::make_shared<std::string>();
  Command command = app.add_command(
      "summary", "Layers, output shapes and parameters of a model, as Keras prints them, and the names of its classes and columns");
  command.option("model", *source, "CONFIG.yaml, RUN_DIR, MODEL.keras, MODEL.h5 or WEIGHTS.weights.h5").required();
  command.footer("Example:\n  lockstep summary configs/fashion_mnist.yaml");
  command.callback([source] {
    if (source->ends_with(".weights.h5")) return print_arrays(*source);
    const std::size_t columns = std::min<std::size_t>(terminal_size().columns, 1000);
    const Sequential model = named_model(*source);
    fmt::print("{}{}", model.summary(terminal_can_redraw() ? static_cast<int>(columns) : 80), names_text(names_of(*source, model)));
  });
}

}  // namespace lockstep
