// lockstep evaluate: loss and metrics of a trained model on every row of a data set, each row once, on all ranks of the job.
#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "cluster/json.h"
#include "io/data/digest.h"
#include "io/run/class_report.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/model/saved_model.h"

namespace lockstep {
namespace {

struct EvaluateArguments {
  std::string model, data, group, loss, metrics;
  bool json = false;
};

/// --loss and --metrics, else what the model was compiled with.
void choose_scores(SavedModel& saved, const EvaluateArguments& arguments) {
  if (saved.model.compiled() && arguments.loss.empty() && arguments.metrics.empty()) return;
  const CompileConfig& file = saved.compile;
  const bool compiled = saved.model.compiled() || (file.given && file.loss_flaw.empty());
  if (arguments.loss.empty()) {
    if (!file.loss_flaw.empty()) throw Error(file.loss_flaw + "; give another loss: --loss mse (and --metrics)", kUsage);
    if (!compiled) throw Error(arguments.model + ": the model is not compiled; give --loss, such as --loss mse (and --metrics)", kUsage);
    if (!file.metrics_flaw.empty() && arguments.metrics.empty())
      throw Error(file.metrics_flaw + "; give other metrics (--metrics mae), or a loss alone (--loss)", kUsage);
  }
  CompileOptions options = saved.model.compiled() ? saved.model.compile_options() : file.options;
  if (!arguments.loss.empty()) options.metrics.clear();
  const CompileOptions given = parse_scores(arguments.loss.empty() ? "mse" : arguments.loss, arguments.metrics);
  if (!arguments.loss.empty()) {
    options.loss = given.loss;
    options.reduction = given.reduction;
  }
  if (!arguments.metrics.empty()) options.metrics = given.metrics;
  options.optimizer = Sgd{};
  saved.model.compile(options);
}

void evaluate(const EvaluateArguments& arguments, const World& world) {
  SavedModel saved = load_saved_model(arguments.model, world, true);
  std::optional<Hdf5Dataset> data;
  world.agree([&] {
    choose_scores(saved, arguments);
    DataConfig chosen = choose_data(saved, arguments.data, arguments.group);
    chosen.options.names = saved.model.names();
    data.emplace(chosen.file, chosen.group, chosen.options);
  });
  expect_same_data(world, *data);
  std::int64_t classes = 0;
  world.agree([&] {
    saved.model.check(*data);
    classes = saved.model.classes();
  });
  const bool confusion = classes > 0 && classes <= kMostClasses;
  const Scores scores = saved.model.evaluate(*data, world, confusion);
  if (world.rank() != 0) return;
  print_notes(*data);
  if (arguments.json) {
    Json json = Json::object();
    const auto key = [&](std::string name) {
      const auto taken = [&](const auto& score) { return score.first == name; };
      while (std::any_of(scores.values.begin(), scores.values.end(), taken)) name = "evaluated_" + name;
      return name;
    };
    json[key("data")] = data->description();
    json[key("rows")] = data->rows();
    for (const auto& [name, value] : scores.values) json[name] = value;
    if (confusion) {
      json[key("classes")] = classes_json(scores.confusion, data->class_names());
      json[key("confusion")] = confusion_json(scores.confusion);
    }
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{} rows of {}\n", data->rows(), data->description());
  for (const auto& [name, value] : scores.values) fmt::print("  {:<32} {:.6g}\n", name, value);
  if (confusion) fmt::print("{}", class_report(scores.confusion, data->class_names()));
  if (classes > kMostClasses) fmt::print("  the model has {} classes; scores of each are given up to {}\n", classes, kMostClasses);
}

}  // namespace

void add_evaluate(Command& app) {
  auto arguments = std::make_shared<EvaluateArguments>();
  Command command =
      app.add_command("evaluate", "Loss and metrics of a trained model on a data set, and how well it tells the classes apart");
  command.option("model", arguments->model, kSavedModels).required();
  command.option("--data", arguments->data, "Data file (default: the run's; see --group)");
  command.option("--group", arguments->group,
                 "Group of the data file (default: test; of a run without test rows, its validation or else its training rows)");
  command.option("--loss", arguments->loss, "Loss in place of the model's, e.g. mse or '{huber: {delta: 2}}'");
  command.option("--metrics", arguments->metrics, "Metrics in place of the model's, e.g. accuracy,mse (default with --loss: none)");
  command.flag("--json", arguments->json,
               "Print as JSON, with all digits; where a metric is named rows or data, those of the data set are evaluated_rows and "
               "evaluated_data; so for classes and confusion");
  command.footer(
      "Examples:\n"
      "  lockstep evaluate runs/fashion_mnist-20260101-120000\n"
      "  mpirun -np 4 lockstep evaluate model.keras --data data/fashion_mnist.h5 --group test\n"
      "  lockstep evaluate notebook.h5 --data data/fashion_mnist.h5 --loss sparse_categorical_crossentropy --metrics accuracy");
  command.callback([arguments] { run_on_ranks([&](World& world) { evaluate(*arguments, world); }); });
}

}  // namespace lockstep
