#include "launch/train/callbacks.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>

namespace lockstep {
namespace {

constexpr double kMissing = std::numeric_limits<double>::quiet_NaN();
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
  return {asked.stop || interrupt, asked.stop_checkpoint || interrupt, interrupt};
}

void RankLogCallback::on_train_begin(const FitState& state) { log_.line(fmt::format("training begins after step {}", state.global_step)); }
void RankLogCallback::on_test_begin(const FitState& state) {
  log_.line(fmt::format("epoch {}: validation, after step {}", state.epoch + 1, state.global_step));
}
double RankLogCallback::on_checkpoint(const FitState& state, const CheckpointMoment&) {
  log_.line(fmt::format("request served after step {}", state.global_step));
  return 0;
}
void RankLogCallback::on_train_end(const FitState& state, const Logs&) {
  log_.line(fmt::format("training ends after step {}", state.global_step));
}

void RankLogCallback::on_epoch_end(const FitState& state, Logs& logs) {
  std::string text = fmt::format("epoch {} of {} done after step {}", state.epoch + 1, state.epochs, state.global_step);
  for (const auto& [name, value] : logs) text += fmt::format(", {} {:.6g}", name, value);
  log_.line(text);
}

History joined(const History& before, const History& after) {
  History whole = after;
  const std::int64_t first = after.epoch.empty() ? INT64_MAX : after.epoch.front();
  std::size_t kept = 0;
  while (kept < before.epoch.size() && before.epoch[kept] < first) ++kept;
  whole.epoch.insert(whole.epoch.begin(), before.epoch.begin(), before.epoch.begin() + static_cast<std::ptrdiff_t>(kept));
  whole.digests.insert(whole.digests.begin(), before.digests.begin(),
                       before.digests.begin() + static_cast<std::ptrdiff_t>(std::min(kept, before.digests.size())));
  for (const auto& [name, values] : before.history) whole.history.try_emplace(name);
  for (auto& [name, all] : whole.history) {
    std::vector<double> first_values(kept, kMissing);
    if (const auto found = before.history.find(name); found != before.history.end()) {
      std::copy_n(found->second.begin(), std::min(kept, found->second.size()), first_values.begin());
    }
    const bool ended = all.empty() && !after.epoch.empty();
    all.insert(all.begin(), first_values.begin(), first_values.end());
    if (ended) all.resize(whole.epoch.size(), kMissing);
  }
  return whole;
}

}  // namespace lockstep
