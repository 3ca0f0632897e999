#include "launch/train/results.h"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "cluster/host/process_limits.h"
#include "cluster/host/process_usage.h"
#include "io/files/durable_file.h"
#include "io/keras/keras_file.h"
#include "launch/train/resume.h"

namespace lockstep {

void TrainingOutcome::on_train_begin(const FitState& state) { steps_before_ = state.global_step; }

void TrainingOutcome::on_train_batch_end(const FitState&) {
  if (first_step == 0) first_step = process_seconds();
}

void TrainingOutcome::on_epoch_end(const FitState& state, Logs&) { samples += state.samples; }

void TrainingOutcome::on_train_end(const FitState& state, const Logs&) {
  last = state;
  if (state.step < state.steps_per_epoch) samples += state.samples;
  total_steps = state.global_step;
  steps = total_steps - steps_before_;
  memory = proportional_memory();  // while the buffers of training are there
}

std::string how_it_ended(const TrainingOutcome& outcome, const StopSignals& signals, const World& world) {
  const int own = signals.received();
  const std::vector<std::string> all = world.all_gather(own == 0 ? "" : signal_name(own));
  if (!outcome.stopped()) return all_epochs_done(outcome.last.epochs);
  if (!outcome.last.interrupted) return "stopped on request";
  std::string ranks, name;
  for (std::size_t rank = 0; rank < all.size(); ++rank) {
    if (all[rank].empty()) continue;
    if (name.empty()) name = all[rank];
    ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
  }
  return fmt::format("interrupted by {} (rank {}) after a checkpoint; run it again", name, ranks);
}

bool ResultWriter::is_lost() {
  try {
    directory_.expect_held();
  } catch (const RunDirectoryLost& error) {
    lost_ = error.what();
  } catch (const Error&) {  // the writes tell
  }
  return !lost_.empty();
}

void ResultWriter::attempt(const std::function<void()>& work) {
  try {
    work();
  } catch (const std::exception& error) {
    failures_ += (failures_.empty() ? "" : "; ") + error_text(error);
  }
}

void ResultWriter::write(Sequential& model, const RunResult& result) {
  if (is_lost()) return;
  failures_ = checkpoints_.failure();
  attempt([&] { history_.finish(); });
  attempt([&] { save_model(model, (directory_.path() / "model.keras").string()); });
  write(result);
}

void ResultWriter::write(RunResult result) {
  if (is_lost()) return;
  if (!failures_.empty()) result.ended += ", but not all of it is on disk: " + failures_;
  attempt([&] { write_text_file(directory_.result(), result_json(result)); });
}

void print_end(const RunResult& result, const std::string& trace) {
  if (result.test) {
    std::string scores;
    for (const auto& [name, value] : result.test->values) scores += fmt::format(" - {}: {:.4f}", name, value);
    fmt::print("test{}\n", scores);
  }
  const double per_step = result.steps > 0 ? result.profile.steps() / static_cast<double>(result.steps) * 1e6 : 0;
  fmt::print("speed          {:.1f} us per step; first step {:.2f} s after the start of the process; at most {} MiB of memory a rank\n",
             per_step, result.first_step, *std::max_element(result.memory.begin(), result.memory.end()) >> 20);
  fmt::print("{}", time_lines(result.time, result.advice));
  if (!trace.empty()) fmt::print("trace          {} (open it in ui.perfetto.dev or chrome://tracing)\n", trace);
}

}  // namespace lockstep
