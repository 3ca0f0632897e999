#include "launch/train_callbacks.h"

#include <algorithm>
#include <cstdio>

#include "io/checkpoint.h"
#include "io/versions.h"

namespace lockstep {
namespace {

constexpr std::chrono::milliseconds kPublishEvery{100};  // running metrics; counters are published every step

}  // namespace

void BoardCallback::on_train_begin(const FitState&) {
  board_.phase(Phase::training);
  samples_before_ = 0;
}

void BoardCallback::on_epoch_begin(const FitState& state) {
  epoch_start_ = std::chrono::steady_clock::now();
  board_.phase(Phase::training);
  board_.step(state.epoch + 1, state.step, state.global_step, samples_before_);
}

void BoardCallback::on_train_batch_end(const FitState& state) {
  board_.step(state.epoch + 1, state.step, state.global_step, samples_before_ + state.samples);
  const auto now = std::chrono::steady_clock::now();
  if (now - published_ >= kPublishEvery) publish(state, now);
}

void BoardCallback::publish(const FitState& state, std::chrono::steady_clock::time_point now) {
  published_ = now;
  board_.metrics(state.running());
  const StepProfile& p = state.profile;
  board_.times({p.compute + p.optimizer, p.communication, p.input, p.other});
}

void BoardCallback::on_epoch_end(const FitState& state, Logs& logs) {
  samples_before_ += state.samples;
  const auto now = std::chrono::steady_clock::now();
  publish(state, now);
  board_.epoch_end({state.epoch + 1, std::chrono::duration<double>(now - epoch_start_).count(), {logs.begin(), logs.end()}});
}

Callback::Request BoardCallback::request() noexcept {
  const Requests asked = board_.pending();
  const bool interrupt = signals_.received() != 0;
  return {asked.stop || interrupt, asked.checkpoint || asked.stop_checkpoint || interrupt, interrupt};
}

void CheckpointCallback::on_epoch_end(const FitState& state, Logs&) {
  const std::int64_t every = config_.checkpoint.every_epochs;
  const bool last = state.epoch + 1 == state.epochs;
  if (every > 0 && ((state.epoch + 1) % every == 0 || last)) save(state, state.epoch + 1, 0);
}

void CheckpointCallback::on_checkpoint(const FitState& state) {
  const Requests asked = board_.pending();
  if (asked.stop && !asked.stop_checkpoint && !asked.checkpoint && !state.interrupted) return;
  const bool epoch_over = state.step == state.steps_per_epoch;
  save(state, epoch_over ? state.epoch + 1 : state.epoch, epoch_over ? 0 : state.step);
}

void CheckpointCallback::save(const FitState& state, std::int64_t epoch, std::int64_t step) {
  const auto start = std::chrono::steady_clock::now();
  const Phase before = board_.phase();
  board_.phase(Phase::checkpointing);
  board_.checkpoint_started();
  try {
    CheckpointState saved;
    saved.epoch = epoch;
    saved.step_in_epoch = step;
    saved.global_step = state.global_step;
    saved.epochs = state.epochs;
    saved.steps_per_epoch = state.steps_per_epoch;
    saved.metric_names = state.metric_names;
    saved.versions = all_versions();
    saved.seed = config_.seed;
    saved.shards = config_.fit.shards;
    saved.batch_size = config_.fit.batch_size;
    saved.shuffle = config_.fit.shuffle;
    saved.history = joined(before_, *state.history);
    board_.checkpoint_written(write_checkpoint(directory_.path().string(), *state.model, saved));
    prune_checkpoints(directory_.path().string(), config_.checkpoint.keep);
  } catch (const std::exception& error) {
    std::fprintf(stderr, "warning: no checkpoint at step %lld: %s\n", static_cast<long long>(state.global_step), error.what());
    directory_.log(std::string("checkpoint failed: ") + error.what());
    board_.checkpoint_failed(error.what());
  }
  board_.phase(before);
  seconds_ += std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

History joined(const History& before, const History& after) {
  History whole = after;
  const std::int64_t first = after.epoch.empty() ? INT64_MAX : after.epoch.front();
  std::size_t kept = 0;
  while (kept < before.epoch.size() && before.epoch[kept] < first) ++kept;
  whole.epoch.insert(whole.epoch.begin(), before.epoch.begin(), before.epoch.begin() + static_cast<std::ptrdiff_t>(kept));
  whole.digests.insert(whole.digests.begin(), before.digests.begin(), before.digests.begin() + static_cast<std::ptrdiff_t>(std::min(kept, before.digests.size())));
  for (const auto& [name, values] : before.history) {
    std::vector<double>& all = whole.history[name];
    all.insert(all.begin(), values.begin(), values.begin() + static_cast<std::ptrdiff_t>(std::min(kept, values.size())));
  }
  return whole;
}

}  // namespace lockstep
