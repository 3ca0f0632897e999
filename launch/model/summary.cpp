// lockstep summary: Keras' table of a model's layers.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "io/config/config.h"
#include "io/keras/keras_file.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/terminal.h"

namespace lockstep {
namespace {

/// From a configuration, a run directory's configuration or a Keras file. Without an Input layer the shape comes from the training data.
Sequential named_model(const std::string& source) {
  if (source.size() > 6 && source.substr(source.size() - 6) == ".keras") return load_model(source);
  const std::filesystem::path file =
      std::filesystem::is_directory(source) ? std::filesystem::path(source) / "config.yaml" : std::filesystem::path(source);
  const RunConfig config = parse_config(read_config_file(file), file.string());
  Sequential model = config.make_model();
  model.compile(config.compile);
  if (!model.built()) model.build(Hdf5Dataset(config.train.file, config.train.group, config.train.options).sample_shape());
  return model;
}

}  // namespace

void add_summary(Command& app) {
  auto source = std::make_shared<std::string>();
  Command command = app.add_command("summary", "Layers, output shapes and parameters of a model, as Keras prints them");
  command.option("model", *source, "CONFIG.yaml, RUN_DIR or MODEL.keras").required();
  command.footer("Example:\n  lockstep summary configs/fashion_mnist.yaml");
  command.callback([source] {
    const std::size_t columns = std::min<std::size_t>(terminal_size().columns, 1000);
    fmt::print("{}", named_model(*source).summary(terminal_can_redraw() ? static_cast<int>(columns) : 80));
  });
}

}  // namespace lockstep
