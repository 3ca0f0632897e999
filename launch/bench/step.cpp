// lockstep bench step: training steps and forward passes of a model against the sum of their oneDNN primitives.
#include <fmt/format.h>
#include <stdlib.h>

#include <algorithm>
#include <cmath>
#include <memory>
#include <optional>

#include "cluster/host/placement.h"
#include "core/training/plan.h"
#include "launch/bench/commands.h"
#include "launch/bench/model.h"
#include "launch/bench/report.h"
#include "launch/command_line.h"
#include "launch/commands.h"

namespace lockstep {
namespace {

struct StepArguments {
  std::string config, optimizer;
  std::vector<std::string> sets;
  std::int64_t batch_size = 0, rows = 0, epochs = 9;
  int threads = 0;
  bool train_only = false, json = false;
};

std::vector<std::string> overrides(const StepArguments& arguments) {
  std::vector<std::string> sets = arguments.sets;
  if (arguments.batch_size > 0) sets.push_back(fmt::format("training.batch_size={}", arguments.batch_size));
  if (!arguments.optimizer.empty()) sets.push_back("training.optimizer=" + arguments.optimizer);
  return sets;
}

constexpr double kFloorSeconds = 0.1;  // of a measurement of the floor, between two epochs

std::vector<double> scaled(std::vector<double> values, double factor) {
  for (double& value : values) value *= factor;
  return values;
}

/// Times whole epochs, and the floor after each.
class EpochClock final : public Callback {
 public:
  EpochClock(StepFloor& floor, const World& world) : floor_(floor), world_(world) {}
  void on_train_begin(const FitState&) override { start_ = seconds_now(); }
  void on_epoch_end(const FitState& state, Logs&) override {
    const double seconds = (seconds_now() - start_) / static_cast<double>(state.steps_per_epoch);
    const StepFloorTimes floor = world_.rank() == 0 ? floor_.measure(kFloorSeconds) : StepFloorTimes{};
    world_.barrier();
    if (state.epoch > 0) {  // the first one reads the file and warms up
      steps.push_back(seconds);
      floors.push_back(floor);
    }
    start_ = seconds_now();
  }

  std::vector<double> steps;  ///< seconds of a step, by epoch
  std::vector<StepFloorTimes> floors;

 private:
  StepFloor& floor_;
  const World& world_;
  double start_ = 0;
};

/// All of one run.
class StepBench {
 public:
  StepBench(const StepArguments& arguments, const World& world);
  void operator()();

 private:
  Sequential compiled_model() const;
  void choose_rows();
  Json train(const FitOptions& options);
  Json forward();
  StepFloor best_forward_floor() const;
  Json figures(const std::vector<double>& seconds, double floor) const;
  std::string text(const Json& document) const;

  const StepArguments& arguments_;
  const World& world_;
  RunConfig config_;
  BenchData data_;
  std::optional<RowSlice> rows_;
  Sequential model_;
  std::optional<StepFloor> floor_;
};

StepBench::StepBench(const StepArguments& arguments, const World& world)
    : arguments_(arguments),
      world_(world),
      config_(bench_config(arguments.config, overrides(arguments), world)),
      data_(bench_data(config_, arguments.rows > 0 ? arguments.rows : 10'000, world)),
      model_(compiled_model()) {
  world.agree([&] { floor_.emplace(model_.products(), config_.fit.batch_size, &config_.compile.optimizer); });
  choose_rows();
}

Sequential StepBench::compiled_model() const {
  Sequential model = config_.make_model();
  world_.agree([&] {
    model.compile(config_.compile);
    model.check(*data_.rows);
  });
  return model;
}

/// All rows, or as many as asked for, or where an epoch would take long as many as make about half a second of the floor.
void StepBench::choose_rows() {
  constexpr double kSeconds = 0.5;
  constexpr std::int64_t kFewestSteps = 4;
  std::int64_t rows = arguments_.rows;
  if (rows == 0) {
    std::array<double, 1> step = {world_.rank() == 0 ? floor_->measure(kFloorSeconds).total() : 0};
    world_.sum(step);
    rows = std::max(kFewestSteps, static_cast<std::int64_t>(kSeconds / step[0])) * config_.fit.batch_size;
  }
  rows = std::min(rows, data_.rows->rows());
  if (rows < data_.rows->rows()) data_.description = fmt::format("the first {} of {}", rows, data_.description);
  rows_.emplace(*data_.rows, RowRange{0, rows});
}

/// Times of something in microseconds, and as multiples of a floor in seconds.
Json StepBench::figures(const std::vector<double>& seconds, double floor) const {
  const Spread us = spread_of(scaled(seconds, 1e6));
  return {{"us", to_json(us)}, {"ratio_to_floor", us.median * 1e-6 / floor}};
}

Json StepBench::train(const FitOptions& options) {
  Sequential model = compiled_model();
  EpochClock clock(*floor_, world_);
  FitOptions fit = options;
  fit.epochs = arguments_.epochs + 1;
  fit.initial_epoch = fit.initial_step = 0;
  fit.validation_split = 0;
  fit.verbose = 0;
  fit.callbacks = {&clock};
  const TrainingPlan plan = model.plan(*rows_, fit, world_);
  fit.plan = &plan;
  model.fit(*rows_, fit, world_);
  if (world_.rank() != 0) return {};
  const auto part = [&](auto value) {
    std::vector<double> values;
    for (const StepFloorTimes& times : clock.floors) values.push_back(value(times) * 1e6);
    return spread_of(values);
  };
  const Spread total = part([](const StepFloorTimes& t) { return t.total(); });
  Json result = figures(clock.steps, total.median * 1e-6);
  const auto trained = std::find_if(plan.ops.begin(), plan.ops.end(), [](const OpPlan& op) { return op.exchange.has_value(); });
  result["exchange"] = trained == plan.ops.end() ? "factors" : name_of(*trained->exchange);
  result["steps_per_epoch"] = plan.steps_per_epoch();
  result["computed_by"] = plan.computed_by();
  result["operations"] = plan.cost.operations;
  result["bytes_sent"] = plan.cost.sent;
  result["floor_us"] = {{"total", to_json(total)},
                        {"forward", part([](const StepFloorTimes& t) { return t.forward; }).median},
                        {"backward_data", part([](const StepFloorTimes& t) { return t.backward_data; }).median},
                        {"backward_weights", part([](const StepFloorTimes& t) { return t.backward_weights; }).median},
                        {"optimizer", part([](const StepFloorTimes& t) { return t.optimizer; }).median}};
  return result;
}

/// The forward primitives at the batch at which they need least for a row.
StepFloor StepBench::best_forward_floor() const {
  std::optional<StepFloor> best;
  double least = INFINITY;
  for (const std::int64_t rows : {32, 64, 128, 256, 512, 1024}) {
    StepFloor floor(model_.products(), rows, nullptr);
    const double per_row = floor.measure(kFloorSeconds / 2).forward / static_cast<double>(rows);
    if (per_row >= least) continue;
    least = per_row;
    best.emplace(std::move(floor));
  }
  return std::move(*best);
}

/// evaluate() and predict() of rows in memory, per row, in turns with the floor.
Json StepBench::forward() {
  constexpr std::int64_t kRows = 10'000;
  const std::int64_t rows = std::min(kRows, rows_->rows()), width = elements(rows_->sample_shape());
  std::vector<float> features(static_cast<std::size_t>(rows * width)), truth(static_cast<std::size_t>(rows * rows_->truth_width())),
      weight(static_cast<std::size_t>(rows));
  world_.agree([&] {
    std::vector<std::int64_t> order(static_cast<std::size_t>(rows));
    for (std::size_t i = 0; i < order.size(); ++i) order[i] = static_cast<std::int64_t>(i);
    const auto reader = rows_->open({{0, rows}});
    reader->begin(order);
    reader->read(rows, {features.data(), truth.data(), weight.data()});
  });
  const ArrayDataset memory(rows_->sample_shape(), std::move(features), std::move(truth), std::move(weight));
  std::optional<StepFloor> best;
  if (world_.rank() == 0) best.emplace(best_forward_floor());
  std::vector<double> floor, evaluate, predict;
  const auto lap = [&](std::vector<double>& into, const auto& work) {
    world_.barrier();
    const double start = seconds_now();
    work();
    into.push_back((seconds_now() - start) / static_cast<double>(rows));
  };
  for (std::int64_t round = 0; round < arguments_.epochs; ++round) {
    if (best) floor.push_back(best->measure(kFloorSeconds).forward / static_cast<double>(best->rows()));
    lap(evaluate, [&] { model_.evaluate(memory, world_); });
    lap(predict, [&] { model_.predict(memory, world_); });
  }
  if (!best) return {};
  const double least = spread_of(floor).median;
  return {{"rows", rows},
          {"floor_us_per_row", to_json(spread_of(scaled(floor, 1e6)))},
          {"floor_batch", best->rows()},
          {"evaluate", figures(evaluate, least)},
          {"predict", figures(predict, least)}};
}

std::string StepBench::text(const Json& document) const {
  std::string text = fmt::format("model {}, batch {}, {}, {} epochs of {} steps, shuffled\ndata {}\n\n",
                                 document["model"].get<std::string>(), document["batch_size"].get<std::int64_t>(),
                                 document["optimizer"].get<std::string>(), document["epochs"].get<std::int64_t>(),
                                 document["steps_per_epoch"].get<std::int64_t>(), document["data"].get<std::string>());
  text += fmt::format("{:<34} {:>11} {:>11} {:>11} {:>9}\n", "microseconds", "median", "min", "max", "x floor");
  const auto line = [&](const std::string& what, const Json& spread, const Json& ratio) {
    text += fmt::format("{:<34} {:>11.4g} {:>11.4g} {:>11.4g} {:>9}\n", what, spread["median"].get<double>(), spread["min"].get<double>(),
                        spread["max"].get<double>(), ratio.is_null() ? "" : fmt::format("{:.3f}", ratio.get<double>()));
  };
  const Json &step = document["step"], &floor = step["floor_us"];
  line("step, exchange " + step["exchange"].get<std::string>(), step["us"], step["ratio_to_floor"]);
  line("floor, one core", floor["total"], nullptr);
  text += fmt::format("  = forward {:.4g} + backward data {:.4g} + backward weights {:.4g} + optimizer {:.4g}\n",
                      floor["forward"].get<double>(), floor["backward_data"].get<double>(), floor["backward_weights"].get<double>(),
                      floor["optimizer"].get<double>());
  if (const Json& mpi = document["step_with_mpi_allreduce"]; !mpi.is_null()) {
    line("step, gradients by MPI_Allreduce", mpi["us"], mpi["ratio_to_floor"]);
    line("floor, one core, beside that", mpi["floor_us"]["total"], nullptr);
  }
  const Json& forward = document["forward"];
  if (forward.is_null()) return text;
  line("evaluate, a row", forward["evaluate"]["us"], forward["evaluate"]["ratio_to_floor"]);
  line("predict, a row", forward["predict"]["us"], forward["predict"]["ratio_to_floor"]);
  line(fmt::format("floor, one core, batch {}", forward["floor_batch"].get<std::int64_t>()), forward["floor_us_per_row"], nullptr);
  return text;
}

void StepBench::operator()() {
  const int threads = threads_for_rank(world_, config_.fit.threads);
  Json document{{"bench", "step"}, {"setting", bench_setting(world_, threads)}};
  document["model"] = describe_widths(model_);
  document["data"] = data_.description;
  document["rows"] = rows_->rows();
  document["batch_size"] = config_.fit.batch_size;
  document["optimizer"] = class_name(config_.compile.optimizer);
  document["epochs"] = arguments_.epochs;
  Json step = train(config_.fit);
  document["steps_per_epoch"] = step["steps_per_epoch"];
  document["step"] = std::move(step);
  document["step_with_mpi_allreduce"] = nullptr;
  if (world_.size() > 1 && !arguments_.train_only) {
    FitOptions fit = config_.fit;
    fit.allreduce = AllreduceAlgorithm::mpi;
    fit.exchange = ExchangeKind::gradients;
    document["step_with_mpi_allreduce"] = train(fit);
  }
  document["forward"] = arguments_.train_only ? Json(nullptr) : forward();
  if (world_.rank() == 0) print_bench(arguments_.json, document, text(document));
}

}  // namespace

void add_bench_step(Command& bench) {
  auto arguments = std::make_shared<StepArguments>();
  Command command = bench.add_command("step", "Training steps, evaluate and predict against the sum of their oneDNN primitives");
  command.option("--config", arguments->config, "Configuration whose model and data to take (default: the classifier 784-300-100-10)");
  command.option("--set", arguments->sets, "Override a key of the configuration: --set model.3.Dense.units=4096")
      .type_name("KEY=VALUE")
      .take_all();
  command.option("--batch-size", arguments->batch_size, "Rows in a step, of all ranks together").at_least(1);
  command.option("--optimizer", arguments->optimizer, "With Keras' defaults, instead of the configuration's")
      .lists(kind_names<OptimizerSpec>());
  command.option("--rows", arguments->rows, "Train on the first ROWS rows (default: all, or fewer where an epoch would take long)")
      .at_least(1);
  command.option("--epochs", arguments->epochs, "Epochs to time, after one to warm up").show_default().at_least(1);
  command.option("--threads", arguments->threads, "Threads of each rank (default: its fair share of the cores)").at_least(1);
  command.flag("--train-only", arguments->train_only, "Leave out evaluate, predict and the step with MPI_Allreduce");
  command.flag("--json", arguments->json, "Print one JSON document");
  command.footer(
      "A step is that of `lockstep train`: rows gathered and shuffled, loss and metrics included; its time is that of a whole epoch\n"
      "divided by its steps. The floor is the sum of oneDNN's primitives at the whole batch's shape on one core (forward with bias\n"
      "and relu, backward data, backward weights) and the optimizer's pass, measured between the epochs. At several ranks the step\n"
      "that sums gradients by MPI_Allreduce is measured as well.\n"
      "JSON: bench, setting, model, data, rows, batch_size, optimizer, epochs, steps_per_epoch, step and step_with_mpi_allreduce {us,\n"
      "ratio_to_floor, exchange, steps_per_epoch, computed_by, operations, bytes_sent, floor_us}, forward {rows, floor_us_per_row,\n"
      "floor_batch, evaluate {us, ratio_to_floor}, predict {us, ratio_to_floor}}.\n\n"
      "Examples:\n"
      "  lockstep bench step --threads 1\n"
      "  mpirun -np 2 lockstep bench step --batch-size 256 --optimizer adam");
  command.callback([arguments] {
    // As if the user had set it: evaluate and predict have no option of their own.
    if (arguments->threads > 0) setenv("OMP_NUM_THREADS", std::to_string(arguments->threads).c_str(), 1);
    run_on_ranks([&](World& world) { StepBench(*arguments, world)(); });
  });
}

}  // namespace lockstep
