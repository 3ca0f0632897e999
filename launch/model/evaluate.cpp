// lockstep evaluate: loss and metrics of a trained model on every row of a data set, each row once, on all ranks of the job.
#include <fmt/format.h>

#include <memory>

#include "cluster/json.h"
#include "io/data/digest.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/model/saved_model.h"

namespace lockstep {
namespace {

struct EvaluateArguments {
  std::string model, data, group;
  bool json = false;
};

void evaluate(const EvaluateArguments& arguments, const World& world) {
  SavedModel saved = load_saved_model(arguments.model, world);
  std::optional<Hdf5Dataset> data;
  world.agree([&] {
    const DataConfig chosen = choose_data(saved, arguments.data, arguments.group);
    data.emplace(chosen.file, chosen.group, chosen.options);
  });
  expect_same_data(world, *data);
  const Scores scores = saved.model.evaluate(*data, world);
  if (world.rank() != 0) return;
  if (arguments.json) {
    Json json{{"data", data->description()}, {"rows", data->rows()}};
    for (const auto& [name, value] : scores.values) json[name] = value;
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{} rows of {}\n", data->rows(), data->description());
  for (const auto& [name, value] : scores.values) fmt::print("  {:<32} {:.6g}\n", name, value);
}

}  // namespace

void add_evaluate(Command& app) {
  auto arguments = std::make_shared<EvaluateArguments>();
  Command command = app.add_command("evaluate", "Loss and metrics of a trained model on a data set");
  command.option("model", arguments->model, "RUN_DIR (its newest checkpoint), a checkpoint (RUN_DIR/checkpoints/step-...) or MODEL.keras")
      .required();
  command.option("--data", arguments->data, "Data file (default: the run's; see --group)");
  command.option("--group", arguments->group,
                 "Group of the data file (default: test; of a run without test rows, its validation or else its training rows)");
  command.flag("--json", arguments->json, "Print as JSON, with all digits");
  command.footer(
      "Examples:\n"
      "  lockstep evaluate runs/fashion_mnist-20260101-120000\n"
      "  mpirun -np 4 lockstep evaluate model.keras --data data/fashion_mnist.h5 --group test");
  command.callback([arguments] { run_on_ranks([&](World& world) { evaluate(*arguments, world); }); });
}

}  // namespace lockstep
