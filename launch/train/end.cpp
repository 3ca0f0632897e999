// The end of a training run: how it ended, its result and model on disk, the summary for people.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>

#include "cluster/host/core_round_trip.h"
#include "cluster/host/process_limits.h"
#include "cluster/host/process_usage.h"
#include "io/keras/keras_file.h"
#include "io/run/trace_file.h"
#include "io/run/versions.h"
#include "launch/train/training_run.h"

namespace lockstep {

/// Collective.
std::string TrainingRun::how_it_ended() const {
  const int own = signals_.received();
  const std::vector<std::string> signals = world_.all_gather(own == 0 ? "" : signal_name(own));
  if (!stopped_) return all_epochs_done(last_.epochs);
  if (!last_.interrupted) return "stopped on request";
  std::string ranks, name;
  for (std::size_t rank = 0; rank < signals.size(); ++rank) {
    if (signals[rank].empty()) continue;
    if (name.empty()) name = signals[rank];
    ranks += (ranks.empty() ? "" : ", ") + std::to_string(rank);
  }
  return fmt::format("interrupted by {} (rank {}) after a checkpoint; run it again", name, ranks);
}

/// Why this rank had no core for some of the time, as far as the kernel tells.
CoreEvidence TrainingRun::core_evidence() const {
  constexpr double kMuch = 0.9;  // of the time with a core: nobody asks why
  CoreEvidence evidence;
  if (quota_) {
    const Throttling now = cpu_throttling(quota_->folder);
    evidence = {quota_->cores, quota_->folder.string(), now.periods - throttling_.periods, now.throttled - throttling_.throttled, ""};
  }
  std::vector<long> own;
  for (const RankPlace& place : places_) {
    if (place.host == world_.hostname()) own.push_back(place.pid);
  }
  if (last_.profile.cpu < kMuch * last_.profile.total()) evidence.rival = rival_on_cores(own);
  return evidence;
}

/// Collective.
RunFacts TrainingRun::facts() const {
  RunFacts facts;
  const std::unique_ptr<Sampler> batches = sampler();
  const Grains grains = cut_grains(batches->slots(), 0, world_.size());
  facts.places = places_;
  facts.cores = gather_evidence(core_evidence(), world_);
  facts.batch_size = config_.fit.batch_size;
  facts.grains = grains.count;
  facts.grain_rows = grains.rows;
  for (const RowRange& range : batches->ranges(grains.first_slot(), grains.first_slot() + grains.own_slots()))
    facts.shard_bytes += range.size() * train_->row_bytes();
  facts.streams = facts.shard_bytes > config_.train.options.memory_budget;
  facts.checkpoint_every = config_.checkpoint.every_epochs;
  if (const std::optional<CoreRoundTrip> trip = core_round_trip(world_)) facts.far_cores = world_.local_size() > 1 && !trip->near();
  return facts;
}

void TrainingRun::finish(const History& history, double seconds) {
  const At here(world_.activity(), Place::finishing);
  stopped_ = history.epoch.empty() || history.epoch.back() + 1 < last_.epochs;
  RunResult result;
  result.name = config_.name;
  result.ended = how_it_ended();
  result.seed = config_.seed;
  result.batch_size = config_.fit.batch_size;
  result.epochs_done = history.epoch.empty() ? 0 : history.epoch.back() + 1;
  result.steps = last_.global_step;
  result.samples = last_.samples;
  result.seconds = seconds;
  if (leads()) {
    result.total_steps = last_steps_;
    result.total_samples = checkpoints_->samples();
    if (seconds_before_) result.total_seconds = *seconds_before_ + seconds;
  }
  result.profile = last_.profile;
  result.time = time_report(gather_profiles(last_.profile, world_));
  result.advice = advise(result.time, facts());
  result.first_step = first_step_;
  for (const std::string& bytes : world_.all_gather(std::to_string(memory_))) result.memory.push_back(std::stoll(bytes));
  for (const std::string& bytes : world_.all_gather(std::to_string(peak_memory()))) result.peak_memory.push_back(std::stoll(bytes));
  result.history = history;
  result.digest = fmt::format("{:016x}", model_->digest());
  result.dtype_policy = name_of(model_->dtype_policy());
  result.allreduce = allreduce_name();
  result.hosts = world_.hosts();
  result.ranks = places_;
  result.versions = all_versions();
  std::string failures;
  if (leads()) failures = write_results(result);
  if (test_ && !stopped_) {
    result.test = test_scores();
    if (leads()) failures = write_result(result, failures);
  }
  if (trace_) write_trace(arguments_.trace, *trace_, clock_, world_);
  if (leads()) {
    directory_->log("ended: " + result.ended);
    if (result.test) {
      std::string scores;
      for (const auto& [name, value] : result.test->values) scores += fmt::format(" - {}: {:.4f}", name, value);
      fmt::print("test{}\n", scores);
    }
    const double per_step = result.steps > 0 ? result.profile.steps() / static_cast<double>(result.steps) * 1e6 : 0;
    fmt::print("speed          {:.1f} us per step; first step {:.2f} s after the start of the process; at most {} MiB of memory a rank\n",
               per_step, first_step_, *std::max_element(result.memory.begin(), result.memory.end()) >> 20);
    fmt::print("{}", time_lines(result.time, result.advice));
    if (trace_) fmt::print("trace          {} (open it in ui.perfetto.dev or chrome://tracing)\n", arguments_.trace);
    if (lost_.empty()) fmt::print("{}; see {}\n", result.ended, directory_->result().string());
    std::fflush(stdout);
  }
  world_.agree([&] {
    if (!lost_.empty()) throw Error(lost_);
    if (!failures.empty()) throw Error("training is over (" + result.ended + "), but not all of it is on disk: " + failures);
  });
  board_.finish(Phase::finished, result.ended);
}

/// When the training is on disk already. Collective.
Scores TrainingRun::test_scores() {
  try {
    return model_->evaluate(*test_, world_);
  } catch (const AgreedError& error) {
    throw AgreedError("training is over, " + (path_ / "model.keras").string() +
                          " and result.json are written, but the test data cannot be scored: " + error.what(),
                      error.exit_code(), error.failing_rank(), error.failing_host());
  }
}

/// Of rank 0: whether nothing may be written any more.
bool TrainingRun::is_lost() {
  try {
    directory_->expect_held();
  } catch (const RunDirectoryLost& error) {
    lost_ = error.what();
  } catch (const Error&) {  // the writes tell
  }
  return !lost_.empty();
}

/// result.json, which tells of what could not be written before it; returns that and what went wrong here.
std::string TrainingRun::write_result(RunResult result, const std::string& failures) {
  if (is_lost()) return lost_;
  if (!failures.empty()) result.ended += ", but not all of it is on disk: " + failures;
  try {
    write_text_file(directory_->result(), result_json(result));
  } catch (const std::exception& error) {
    return failures + (failures.empty() ? "" : "; ") + error_text(error);
  }
  return failures;
}

/// All that can be written is; returns what could not. result.json comes last: where it says that all epochs are done, the rest is there.
std::string TrainingRun::write_results(const RunResult& result) {
  if (is_lost()) return lost_;
  std::string failures = checkpoints_->failure();
  const auto attempt = [&](const std::function<void()>& work) {
    try {
      work();
    } catch (const std::exception& error) {
      failures += (failures.empty() ? "" : "; ") + error_text(error);
    }
  };
  attempt([&] { csv_->finish(); });
  attempt([&] { save_model(*model_, (path_ / "model.keras").string()); });
  return write_result(result, failures);
}

}  // namespace lockstep
