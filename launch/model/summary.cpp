// lockstep summary: Keras' table of a model's layers, or the arrays of a file of weights.
#include "core/training/summary.h"

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "io/checkpoint/checkpoint.h"
#include "io/checkpoint/folder.h"
#include "io/config/config.h"
#include "io/hdf5/file.h"
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
  Command command = app.add_command("summary", "Layers, output shapes and parameters of a model, as Keras prints them");
  command.option("model", *source, "CONFIG.yaml, RUN_DIR, MODEL.keras, MODEL.h5 or WEIGHTS.weights.h5").required();
  command.footer("Example:\n  lockstep summary configs/fashion_mnist.yaml");
  command.callback([source] {
    if (source->ends_with(".weights.h5")) return print_arrays(*source);
    const std::size_t columns = std::min<std::size_t>(terminal_size().columns, 1000);
    fmt::print("{}", named_model(*source).summary(terminal_can_redraw() ? static_cast<int>(columns) : 80));
  });
}

}  // namespace lockstep
