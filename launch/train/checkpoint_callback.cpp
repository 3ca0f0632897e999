#include "launch/train/checkpoint_callback.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <limits>

#include "core/compile/metrics/names.h"
#include "io/checkpoint/folder.h"
#include "io/run/result.h"
#include "launch/train/callbacks.h"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

KeepCheckpoints keep_of(const RunConfig& config) {
  std::vector<MetricSpec> metrics = config.compile.metrics;
  name_metrics(metrics);
  KeepCheckpoints keep{.newest = config.checkpoint.keep, .monitor = config.checkpoint.monitor};
  if (keep.monitor.empty()) keep.monitor = config.validation || config.fit.validation_split > 0 ? "val_loss" : "loss";
  keep.larger_is_better = config.checkpoint.larger_is_better.value_or(larger_is_better(keep.monitor, metrics));
  return keep;
}

}  // namespace

CheckpointCallback::CheckpointCallback(const RunConfig& config, const RunDirectory& directory, StatusBoard& board, const History& before,
                                       CheckpointState constant, const DataIdentity& data)
    : config_(config),
      directory_(directory),
      board_(board),
      before_(before),
      constant_(std::move(constant)),
      data_(data),
      keep_(keep_of(config)),
      samples_(constant_.samples) {}

std::optional<double> CheckpointCallback::seconds() const {
  if (!constant_.seconds) return {};
  return *constant_.seconds + seconds_since(start_);
}

/// A run without its directory has nowhere to write: it is asked to stop, and its end tells why.
bool CheckpointCallback::lost() const {
  try {
    directory_.expect_held();
  } catch (const RunDirectoryLost& error) {
    board_.request_stop(error.what(), false);
    return true;
  } catch (const Error&) {  // it cannot be told now
  }
  return false;
}

bool CheckpointCallback::scheduled() const {
  return config_.checkpoint.every_epochs > 0 || config_.checkpoint.every_steps > 0 || config_.checkpoint.every_seconds > 0;
}

/// Whether a checkpoint is taken when the epoch of this number, counted from 1, ends.
bool CheckpointCallback::saves_epoch(std::int64_t number) const {
  const std::int64_t every = config_.checkpoint.every_epochs;
  return (every > 0 && number % every == 0) || (scheduled() && number == config_.fit.epochs);
}

void CheckpointCallback::on_train_begin(const FitState& state) {
  global_step_ = state.global_step;
  saved_ = start_ = Clock::now();
  if (scheduled()) make_writer(state);  // not at a step: its memory is filled for the first time
}

void CheckpointCallback::make_writer(const FitState& state) {
  CheckpointWriter::Events events;
  events.written = [this](const CheckpointInfo& info, double seconds) {
    board_.checkpoint_written(info);
    directory_.log(fmt::format("checkpoint {} written: {} bytes in {:.3f} s", info.path, info.bytes, seconds));
  };
  events.warning = [this](const std::string& what) { warn(what); };
  events.failed = [this](const std::string& what) {
    if (!lost()) warn(what);
    board_.checkpoint_failed(what);
  };
  writer_ = std::make_unique<CheckpointWriter>(
      directory_.path().string(), *state.model,
      CheckpointWriter::Options{.keep = keep_, .before_write = [this] { directory_.expect_held(); }}, std::move(events));
}

void CheckpointCallback::warn(const std::string& what) const {
  std::fprintf(stderr, "warning: %s\n", what.c_str());
  directory_.log("warning: " + what);
}

Callback::Request CheckpointCallback::request() noexcept {
  if (epoch_over_) return {.checkpoint = !lost_ && (epoch_due_ || board_.pending().checkpoint)};
  const CheckpointConfig& every = config_.checkpoint;
  due_ |= every.every_steps > 0 && (global_step_ + 1) % every.every_steps == 0;
  due_ |= every.every_seconds > 0 && seconds_since(saved_) >= every.every_seconds;
  return {.checkpoint = (due_ || board_.pending().checkpoint) && !(writer_ && writer_->busy())};
}

double CheckpointCallback::on_checkpoint(const FitState& state, const CheckpointMoment& moment) {
  const Requests asked = board_.pending();
  if (epoch_over_ && lost_) return 0;
  const bool unwanted = moment.stopping && asked.stop && !asked.stop_checkpoint && !asked.checkpoint && !state.interrupted;
  if (unwanted && !(epoch_over_ && epoch_due_)) return 0;
  if (!moment.stopping && state.step == state.steps_per_epoch && saves_epoch(state.epoch + 1)) return 0;  // its end is at hand
  CheckpointState saved = describe(state);
  saved.epoch = state.epoch;
  saved.step_in_epoch = state.step;
  saved.sums = moment.sums;
  if (samples_) saved.samples = *samples_ + state.samples;
  saved.healthy = epoch_over_ ? healthy_ : moment.sums.finite;
  if (const auto found = state.history->history.find(keep_.monitor); epoch_over_ && found != state.history->history.end()) {
    saved.monitor = found->first;
    saved.score = found->second.back();
  }
  if (!data_.compared()) {
    directory_.log(
        fmt::format("checkpoint of step {}: large data have not been read once yet, so it does not say what they hold", state.global_step));
  }
  return save(state, std::move(saved), moment.gathering);
}

void CheckpointCallback::on_epoch_end(const FitState& state, Logs& logs) {
  if (samples_) *samples_ += state.samples;
  healthy_ = std::isfinite(logs.at("loss"));
  epoch_over_ = true;
  epoch_due_ = saves_epoch(state.epoch + 1);
  lost_ = lost();
}

void CheckpointCallback::on_train_end(const FitState& state, const Logs&) {
  if (samples_ && state.step < state.steps_per_epoch) *samples_ += state.samples;
  if (writer_) writer_->wait();
}

CheckpointState CheckpointCallback::describe(const FitState& state) const {
  CheckpointState saved = constant_;
  saved.data = data_.known();
  saved.global_step = state.global_step;
  saved.seconds = seconds();
  saved.epochs = state.epochs;
  saved.steps_per_epoch = state.steps_per_epoch;
  saved.metric_names = state.metric_names;
  saved.history = joined(before_, *state.history);
  for (const Callback* callback : *state.callbacks) {
    if (!callback->name().empty()) saved.callbacks[callback->name()] = callback->save_state();
  }
  return saved;
}

/// Returns the seconds that training was held up.
double CheckpointCallback::save(const FitState& state, CheckpointState saved, double gathering) {
  const Clock::time_point start = Clock::now();
  const Phase before = board_.phase();
  board_.phase(Phase::checkpointing);
  if (!writer_) make_writer(state);
  writer_->wait();
  board_.checkpoint_started();
  const Clock::time_point copy = Clock::now();
  writer_->save(*state.model, std::move(saved));
  const double copied = seconds_since(copy), held_up = seconds_since(start) + gathering;
  directory_.log(fmt::format("checkpoint of step {} taken: training held up for {:.3f} ms ({:.3f} ms the copy)", state.global_step,
                             held_up * 1e3, copied * 1e3));
  due_ = false;
  saved_ = Clock::now();
  board_.phase(before);
  return held_up;
}

}  // namespace lockstep
