// lockstep convert: a model from one file format into another.
#include <fmt/format.h>

#include <filesystem>
#include <memory>

#include "io/files/durable_file.h"
#include "io/keras/keras_file.h"
#include "io/keras/stored_weights.h"
#include "io/keras/weights.h"
#include "io/onnx/export.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/model/saved_model.h"

namespace lockstep {
namespace {

struct ConvertArguments {
  std::string in, out, model;
  bool weights = false, force = false;
};

/// The model of IN, or that of --model with the weights of IN.
SavedModel read(const ConvertArguments& arguments) {
  const World alone;
  if (arguments.model.empty()) return load_saved_model(arguments.in, alone);
  SavedModel saved = load_saved_model(arguments.model, alone);
  const std::vector<StoredLayer> layers = saved.layers.empty() ? stored_layers(saved.model) : saved.layers;
  if (!saved.model.compiled()) {
    load_weights_alone(saved.model, arguments.in, layers);
  } else if (!load_weights(saved.model, arguments.in, layers)) {
    saved.model.compile(CompileOptions(saved.model.compile_options()));  // without the state that belongs to other weights
    fmt::print(stderr, "{}: holds no optimizer state of this model; {} starts without one\n", arguments.in, arguments.out);
  }
  return saved;
}

void write(const ConvertArguments& arguments, Sequential& model) {
  const std::string& out = arguments.out;
  if (arguments.weights || out.ends_with(".weights.h5")) return save_weights(model, out);
  if (out.ends_with(".onnx")) return save_onnx(model, out);
  if (!is_model_file(out)) throw Error(out + ": the name must end in .keras, .h5, .hdf5, .weights.h5 or .onnx", kUsage);
  save_model(model, out);
}

void convert(const ConvertArguments& arguments) {
  if (!arguments.force && path_exists(arguments.out))
    throw Error(arguments.out + " exists; give another name, or --force to replace it", kUsage);
  SavedModel saved = read(arguments);
  write(arguments, saved.model);
  fmt::print("{}: model '{}' of {} layers{}\n", arguments.out, saved.model.name(), saved.model.layers().size(),
             saved.model.compiled() ? "" : ", not compiled");
}

}  // namespace

void add_convert(Command& app) {
  auto arguments = std::make_shared<ConvertArguments>();
  Command command = app.add_command("convert", "A model from one file format into another");
  command.option("IN", arguments->in, std::string(kSavedModels) + "; with --model a file of weights alone, .h5 or .weights.h5").required();
  command.option("OUT", arguments->out, "File to write; its ending is the format").required();
  command.option("--model", arguments->model, "Model whose architecture IN, a file of weights alone, belongs to");
  command.flag("--weights", arguments->weights, "Write the weights alone, for OUT.h5 in the layout of Keras 2");
  command.flag("--force", arguments->force, "Replace an existing OUT");
  command.footer(
      "Formats:\n"
      "  .keras        Keras 3: layers, weights, compile configuration, optimizer state\n"
      "  .h5, .hdf5    Keras 2 and 3: layers, weights, compile configuration\n"
      "  .weights.h5   Keras 3: weights and optimizer state\n"
      "  .onnx         inference with ONNX Runtime and others; OUT only\n\n"
      "Examples:\n"
      "  lockstep convert notebook.h5 notebook.keras\n"
      "  lockstep convert runs/fashion_mnist-20260101-120000 fashion_mnist.h5\n"
      "  lockstep convert old_weights.h5 new.weights.h5 --model model.keras");
  command.callback([arguments] { convert(*arguments); });
}

}  // namespace lockstep
