// Sequential::fit: the loop around Trainer.
#include <time.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <optional>

#include "core/math/onednn/library.h"
#include "core/math/subnormals.h"
#include "core/training/evaluator.h"
#include "core/training/model_state.h"
#include "core/training/plan.h"
#include "core/training/progress.h"
#include "core/training/sequential.h"
#include "core/training/trainer.h"

namespace lockstep {
namespace {

/// Makes all ranks start from rank 0's weights, optimizer state and learning rate, whatever each has loaded. Collective.
void share_start(Sequential& model, ModelState& state, const World& world) {
  for (const WeightView& weight : model.weights()) world.broadcast(std::as_writable_bytes(weight.values));
  Optimizer& optimizer = *state.optimizer;
  std::int64_t iterations = optimizer.iterations();
  world.broadcast(std::as_writable_bytes(std::span(&iterations, 1)));
  optimizer.set_iterations(iterations);
  if (iterations == 0) optimizer.start(state.network->parameters());
  for (OptimizerSlot& slot : optimizer.slots()) world.broadcast(std::as_writable_bytes(slot.values.span()));
  for (OptimizerNumber& number : optimizer.numbers()) world.broadcast(std::as_writable_bytes(std::span(&number.value, 1)));
  if (optimizer.scheduled()) return;
  float rate = optimizer.learning_rate();
  world.broadcast(std::as_writable_bytes(std::span(&rate, 1)));
  optimizer.set_learning_rate(rate);
}

/// A plan must be of the training that it is passed to.
void check_plan(const TrainingPlan& plan, const ModelState& model, const Dataset& train, const FitOptions& options, const World& world) {
  const TrainingPlan own = outline_plan(model, train, options, shape_of(world));
  const bool same_ranks = plan.job.rank == own.job.rank && plan.job.ranks == own.job.ranks;
  const bool same_rows = plan.rows.train.last == own.rows.train.last && plan.sampler == own.sampler;
  const bool same_exchange = plan.exchange.factors == own.exchange.factors && plan.exchange.layers == own.exchange.layers &&
                             (own.exchange.allreduce.empty() || plan.allreduce() == own.allreduce());
  if (same_ranks && same_rows && same_exchange && plan.dtype_policy == model.policy && plan.arithmetic == model.arithmetic) {
    return;
  }
  throw Error(
      "FitOptions::plan was made for other ranks, rows, batches, another arithmetic or exchange; call Sequential::plan() with the "
      "arguments of "
      "fit()",
      kUsage);
}

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

double thread_cpu_seconds() {
  timespec now{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9;
}

/// One call of fit: the state that its parts share.
class Fit {
 public:
  Fit(Sequential& model, ModelState& state, const TrainingPlan& plan, const Dataset& train, const Dataset* validation,
      const FitOptions& options, const World& world);
  History run();

 private:
  const Clock::time_point begin_ = Clock::now();  // before the other members come to life
  const double begin_cpu_ = thread_cpu_seconds();
  bool train_epoch(std::int64_t epoch, std::int64_t first_step);
  Callback::Request own_request();
  double serve(const Trainer::Request& request);
  double checkpoint(const CheckpointMoment& moment);
  Logs finish_epoch();
  bool stops_after_epoch(bool more);
  void trace_last(SpanKind kind, double seconds);
  /// Not for the hooks of a step.
  template <class Hook>
  void each_at(const Hook& hook) {
    const ScopedStage stage(world_.activity(), Stage::callbacks);
    each(hook);
  }
  template <class Hook>
  void each(const Hook& hook) {
    for (Callback* callback : callbacks_) hook(*callback);
  }

  Sequential& model_;
  ModelState& state_;
  const FitOptions& options_;
  const World& world_;
  Trainer trainer_;
  std::optional<Evaluator> validation_;
  ProgressPrinter progress_;
  std::vector<Callback*> callbacks_;
  FitState now_;
  History history_;
};

Fit::Fit(Sequential& model, ModelState& state, const TrainingPlan& plan, const Dataset& train, const Dataset* validation,
         const FitOptions& options, const World& world)
    : model_(model),
      state_(state),
      options_(options),
      world_(world),
      trainer_(state, train, plan, options, world),
      progress_(options.verbose, world.rank() == 0),
      callbacks_(options.callbacks) {
  if (validation != nullptr) {
    validation_.emplace(state, *validation, world, plan.threads);
    if (options.stop_on_nan) validation_->expect_finite();
  }
  callbacks_.push_back(&progress_);
  history_.epochs = options.epochs;
  history_.steps = plan.steps_per_epoch();
  now_.model = &model;
  now_.epochs = options.epochs;
  now_.steps_per_epoch = history_.steps;
  now_.batch_size = options.batch_size;
  now_.metric_names = {"loss"};
  for (const MetricSpec& metric : state.options->metrics) now_.metric_names.push_back(metric.name);
  now_.running = [this] { return trainer_.running(); };
  now_.history = &history_;
  now_.callbacks = &callbacks_;
}

History Fit::run() {
  if (options_.initial_step > now_.steps_per_epoch) {
    throw Error("initial_step " + std::to_string(options_.initial_step) + " lies beyond the " + std::to_string(now_.steps_per_epoch) +
                    " steps of an epoch",
                kUsage);
  }
  Logs last;
  now_.epoch = options_.initial_epoch;
  now_.global_step = state_.optimizer->iterations();
  each([&](Callback& c) {
    const auto saved = options_.callback_states.find(c.name());
    if (!c.name().empty() && saved != options_.callback_states.end()) c.load_state(saved->second);
  });
  each_at([&](Callback& c) { c.on_train_begin(now_); });
  trainer_.profile().start = seconds_since(begin_);
  trace_last(SpanKind::start, trainer_.profile().start);
  for (std::int64_t epoch = options_.initial_epoch; epoch < options_.epochs; ++epoch) {
    if (!train_epoch(epoch, epoch == options_.initial_epoch ? options_.initial_step : 0)) break;
    last = finish_epoch();
    if (stops_after_epoch(epoch + 1 < options_.epochs)) break;
  }
  now_.profile = trainer_.profile();
  now_.profile.epochs += seconds_since(begin_) - now_.profile.total();  // what nobody has measured is between epochs
  now_.profile.cpu = thread_cpu_seconds() - begin_cpu_;
  if (state_.optimizer->iterations() > 0) trainer_.take_averages();
  each_at([&](Callback& c) { c.on_train_end(now_, last); });
  return history_;
}

/// False when a stop was asked for.
bool Fit::train_epoch(std::int64_t epoch, std::int64_t first_step) {
  now_.epoch = epoch;
  now_.step = first_step;
  now_.samples = 0;
  if (first_step > 0 && options_.initial_sums != nullptr) {
    trainer_.begin_epoch(epoch, first_step, *options_.initial_sums);
  } else {
    trainer_.begin_epoch(epoch, first_step);
  }
  each_at([&](Callback& c) { c.on_epoch_begin(now_); });
  for (std::int64_t step = first_step; step < now_.steps_per_epoch; ++step) {
    const Trainer::Request agreed = trainer_.step(own_request());
    const auto start = Clock::now();
    now_.step = step + 1;
    now_.global_step = state_.optimizer->iterations();
    now_.samples += trainer_.sampler().rows_in_step(step);
    now_.profile = trainer_.profile();
    now_.interrupted = agreed.interrupt;
    {
      const TraceSpan span(options_.trace, SpanKind::callbacks);
      each([&](Callback& c) { c.on_train_batch_end(now_); });
    }
    const double checkpoint = agreed.stop || agreed.checkpoint ? serve(agreed) : 0;
    trainer_.profile().other += seconds_since(start) - checkpoint;
    if (agreed.stop) return false;
  }
  return true;
}

/// What the callbacks of this rank ask for.
Callback::Request Fit::own_request() {
  Callback::Request own;
  each([&](Callback& c) {
    const Callback::Request request = c.request();
    own.stop |= request.stop;
    own.checkpoint |= request.checkpoint;
    own.interrupt |= request.interrupt;
  });
  return own;
}

/// A span that ends now.
void Fit::trace_last(SpanKind kind, double seconds) {
  if (options_.trace == nullptr) return;
  const std::int64_t now = Trace::now();
  options_.trace->add(kind, now - static_cast<std::int64_t>(seconds * 1e9), now);
}

/// The callbacks' checkpoint hooks. Returns the seconds that training was held up. Collective.
double Fit::checkpoint(const CheckpointMoment& moment) {
  double seconds = 0;
  each_at([&](Callback& c) { seconds += c.on_checkpoint(now_, moment); });
  trainer_.profile().checkpoint += seconds;
  if (seconds > 0) trace_last(SpanKind::checkpoint, seconds);
  return seconds;
}

/// Serves what is asked for after the end of an epoch. Returns whether training stops there, before `more` epochs are done. Collective.
bool Fit::stops_after_epoch(bool more) {
  const Callback::Request own = own_request();
  std::array<std::int64_t, 3> asked = {own.stop, own.checkpoint, own.interrupt};
  world_.sum(asked);
  const bool stops = more && asked[0] > 0;
  if (!stops && asked[1] == 0) return false;
  const FitState over = now_;
  ++now_.epoch;
  now_.step = now_.samples = 0;
  now_.interrupted = stops && asked[2] > 0;
  const EpochSums none;
  checkpoint({.sums = none, .stopping = stops});
  if (!stops) now_ = over;
  return stops;
}

double Fit::serve(const Trainer::Request& request) {
  const auto start = Clock::now();
  trainer_.complete(request.stop ? WeightScope::every_rank : WeightScope::rank_0);
  const EpochSums sums = trainer_.sums();
  return checkpoint({.sums = sums, .stopping = request.stop, .gathering = seconds_since(start)});
}

/// Validation, logs, history. Collective.
Logs Fit::finish_epoch() {
  const TraceSpan span(options_.trace, SpanKind::epoch_end);
  Logs logs;
  const auto start = Clock::now();
  trainer_.complete();
  trainer_.profile().communication += seconds_since(start);
  const std::vector<double> results = trainer_.results();
  for (std::size_t i = 0; i < results.size(); ++i) logs[now_.metric_names[i]] = results[i];
  if (validation_) {
    each([&](Callback& c) { c.on_test_begin(now_); });
    const TraceSpan inside(options_.trace, SpanKind::validation);
    const auto begin = Clock::now();
    const ScopedStage stage(world_.activity(), Stage::validating);
    const std::vector<double> scores = validation_->score();
    trainer_.profile().validation += seconds_since(begin);
    for (std::size_t i = 0; i < scores.size(); ++i) logs["val_" + now_.metric_names[i]] = scores[i];
  }
  history_.epoch.push_back(now_.epoch);
  history_.digests.push_back(model_.digest());
  for (const auto& [name, value] : logs) history_.history[name].push_back(value);
  now_.profile = trainer_.profile();
  each_at([&](Callback& c) { c.on_epoch_end(now_, logs); });
  for (const auto& [name, value] : logs) {  // what callbacks have added
    std::vector<double>& values = history_.history[name];
    if (values.size() < history_.epoch.size()) values.push_back(value);
  }
  return logs;
}

}  // namespace

History Sequential::fit(const Dataset& train, const FitOptions& options, const World& world) {
  const TrainingPlan planned = options.plan != nullptr ? *options.plan : plan(train, options, world);
  const Dataset* validation = options.validation_data;
  world.agree([&] {
    if (options.plan != nullptr) {
      check(train);
      if (validation != nullptr) check(*validation);
      check_plan(planned, *state_, train, options, world);
    }
    if (options.epochs < 0 || options.initial_epoch < 0 || options.initial_step < 0) {
      throw Error("epochs, initial_epoch and initial_step must not be negative", kUsage);
    }
  });
  std::optional<RowSlice> train_slice, validation_slice;
  if (planned.rows.validation.size() > 0) {
    train_slice.emplace(train, planned.rows.train);
    validation = &validation_slice.emplace(train, planned.rows.validation);
  }
  const Dataset& data = train_slice ? static_cast<const Dataset&>(*train_slice) : train;
  if (!options.rows_checked) {
    check_rows(data, world, options.class_weight);
    if (validation != nullptr) check_rows(*validation, world);
  }
  const ThreadScope one(1);  // oneDNN sees one thread; grains are what is spread over threads
  const NoSubnormals none;
  share_start(*this, *state_, world);
  std::optional<Fit> fit;
  planned.memory.allocating([&] { fit.emplace(*this, *state_, planned, data, validation, options, world); });
  return fit->run();
}

}  // namespace lockstep
