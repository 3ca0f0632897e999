// The part of a training run that looks at what there is in its directory: --resume and --continue.
#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "io/checkpoint_state.h"
#include "io/config_change.h"
#include "io/versions.h"
#include "launch/training_run.h"

namespace lockstep {
namespace {

/// Of --continue: what is in the directory must be an attempt at this very run.
void check_same_run(const std::string& directory, const std::string& yaml) {
  const std::filesystem::path path = directory, config = path / "config.yaml";
  if (!std::filesystem::exists(config)) {
    for (const char* name : {"history.csv", "result.json", "model.keras", "checkpoints"}) {
      if (std::filesystem::exists(path / name)) throw Error((path / name).string() + " is there, but no config.yaml: " + directory + " is no run directory; give another --run-dir", kUsage);
    }
    return;
  }
  const std::string change = config_change(read_config_file(config), yaml);
  if (!change.empty()) throw Error(directory + " belongs to a run of another configuration (" + change + "); --continue goes on with the same one only, so give another --run-dir", kUsage);
}

}  // namespace

std::string all_epochs_done(std::int64_t epochs) { return fmt::format("all {} epochs done", epochs); }

/// Rank 0 looks for the newest whole checkpoint of the run to resume. With --continue there may be none. Collective.
void TrainingRun::find_checkpoint() {
  if (arguments_.resume.empty() && !arguments_.goes_on) return;
  world_.agree([&] {
    if (!leads()) return;
    const std::string directory = arguments_.goes_on ? arguments_.run_dir : arguments_.resume;
    if (arguments_.goes_on) check_same_run(directory, config_.yaml);
    if (std::filesystem::exists(directory)) {  // nobody changes what is looked at from here on
      directory_.emplace(arguments_.goes_on ? RunDirectory::enter(directory) : RunDirectory::open(directory));
      directory_->lock();
    }
    const NewestCheckpoint newest = newest_checkpoint(directory);
    for (const std::string& why : newest.skipped) fmt::print(stderr, "warning: skipped a checkpoint: {}\n", why);
    if (!newest.found && !newest.skipped.empty()) {
      throw Error(directory + ": every checkpoint is damaged (see the warnings above); start again in another directory");
    }
    if (!newest.found && !arguments_.goes_on) throw Error("no checkpoint in " + directory + " to resume from; start it again without --resume", kUsage);
    from_ = newest.found;
  });
  resumes_ = world_.broadcast(from_ ? "resumes" : "") == "resumes";
}

/// Of --continue: whether all epochs were done and told before. Collective.
bool TrainingRun::done_before() {
  std::string ended;
  const std::filesystem::path result = std::filesystem::path(arguments_.run_dir) / "result.json";
  if (leads() && arguments_.goes_on && std::filesystem::exists(result)) {
    const auto json = nlohmann::json::parse(read_config_file(result), nullptr, false);
    if (json.is_object() && json.value("ended", "") == all_epochs_done(config_.fit.epochs)) ended = json.value("ended", "");
  }
  ended = world_.broadcast(ended);
  if (leads() && !ended.empty()) fmt::print("{} before; see {}\n", ended, result.string());
  return !ended.empty();
}

/// Rank 0 reads the checkpoint; fit() hands its weights to all ranks. Collective.
void TrainingRun::resume() {
  if (!resumes_) return;
  std::string text;
  world_.agree([&] {
    if (!leads()) return;
    const CheckpointState state = load_checkpoint(from_->path, *model_);
    check_same_batches(state);
    if (state.epoch >= config_.fit.epochs && !arguments_.goes_on) {
      throw Error("all " + std::to_string(config_.fit.epochs) + " epochs of " + path_.string() + " are done; ask for more by --epochs", kUsage);
    }
    if (!state.healthy) fmt::print(stderr, "warning: its loss or weights are not finite numbers; what is trained from here on will not be either\n");
    check_same_bits(state);
    fmt::print("resuming from {} (epoch {}, step {})\n", from_->path, state.epoch + 1, state.step_in_epoch);
    text = checkpoint_state_json(state);
  });
  const CheckpointState state = checkpoint_state_from_json("state.json", world_.broadcast(text));
  before_ = state.history;
  config_.fit.initial_epoch = state.epoch;
  config_.fit.initial_step = state.step_in_epoch;
  sums_ = state.sums;
  config_.fit.initial_sums = &sums_;
  config_.fit.callback_states = state.callbacks;
}

/// What decides about the last bits of the weights besides the configuration.
std::map<std::string, std::string> TrainingRun::bit_facts() const {
  std::map<std::string, std::string> versions = all_versions();
  const std::string carrier = allreduce_name();
  return {{"ISA", versions["ISA"]},
          {"oneDNN", versions["oneDNN"]},
          {"lockstep", versions["lockstep"]},
          {"grain rows", std::to_string(cut_grains(sampler()->slots(), 0, 1).rows)},
          {"threads per grain", "1"},
          {"dtype policy", std::string(name_of(model_->dtype_policy()))},
          {"exchange", carrier == "factors" ? exchange_text() : fmt::format("gradients by {} on {} ranks", carrier, world_.size())}};
}

/// A difference is an error in reproducible mode and a warning otherwise.
void TrainingRun::check_same_bits(const CheckpointState& state) const {
  const std::map<std::string, std::string> now = bit_facts();
  for (const auto& [fact, before] : state.facts) {
    const auto found = now.find(fact);
    if (found == now.end() || found->second == before) continue;
    if (config_.fit.reproducible) {
      throw Error(fmt::format("{} was '{}' when the checkpoint was made and is '{}' now, so the weights would not be those of the run without a break, as 'reproducible: "
                              "true' promises; resume where it is '{}', or with --set reproducible=false",
                              fact, before, found->second, before),
                  kUsage);
    }
    fmt::print(stderr, "warning: {} was '{}' when the checkpoint was made and is '{}' now: the weights will differ in their last bits from those of the run without a break\n",
               fact, before, found->second);
  }
}

/// The batches that come next are those of the checkpoint only if these have stayed.
void TrainingRun::check_same_batches(const CheckpointState& state) const {
  const auto same = [&](const char* key, auto before, auto now) {
    if (before == now) return;
    throw Error(fmt::format("the checkpoint was made with {} {}, but now it is {}; resume with the same, or start a new run", key, before, now), kUsage);
  };
  same("training.batch_size", state.batch_size, config_.fit.batch_size);
  same("training.shards", state.shards, config_.fit.shards);
  same("seed", state.seed, config_.seed);
  same("training.shuffle", state.shuffle, config_.fit.shuffle);
}

}  // namespace lockstep
