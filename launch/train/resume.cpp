// The part of a training run that looks at what there is in its directory: --resume and --continue.
#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <sstream>

#include "io/checkpoint/state.h"
#include "io/config/change.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "io/run/versions.h"
#include "launch/train/training_run.h"

namespace lockstep {
namespace {

/// Of --continue: what is in the directory must be an attempt at this very run, or one at any that never came to train.
void check_same_run(const RunDirectory& run, const std::string& yaml) {
  if (run.untrained()) return;
  const std::filesystem::path &path = run.path(), config = run.config();
  const std::string directory = path.string();
  if (!std::filesystem::exists(config)) {
    for (const char* name : {"history.csv", "result.json", "model.keras", "checkpoints"}) {
      if (std::filesystem::exists(path / name))
        throw Error((path / name).string() + " is there, but no config.yaml: " + directory + " is no run directory; give another --run-dir",
                    kUsage);
    }
    return;
  }
  const std::string change = config_change(read_config_file(config), yaml);
  if (!change.empty())
    throw Error(directory + " belongs to a run of another configuration (" + change +
                    "); --continue goes on with the same one only, so give another --run-dir",
                kUsage);
}

/// Of --resume with a checkpoint's path, which may be one that is not healthy. With newer ones beside it the next resume would go on with
/// those.
CheckpointInfo named_checkpoint(const std::string& path, const std::string& run_dir, const NewestCheckpoint& newest) {
  for (const CheckpointInfo& one : list_checkpoints(run_dir)) {
    if (std::error_code none; !std::filesystem::equivalent(one.path, path, none)) continue;
    if (!newest.found || newest.found->step <= one.step) return one;
    throw Error(fmt::format("{} is not the newest checkpoint of {}: to go back to it, move the newer ones away, such as {}", path, run_dir,
                            newest.found->path),
                kUsage);
  }
  throw Error("there is no checkpoint " + path, kUsage);
}

/// A run in which no checkpoint is found must not have had one: to start it anew would overwrite it.
void expect_never_saved(const std::string& run_dir, std::int64_t every_epochs) {
  std::string evidence;
  if (const std::string file = run_dir + "/history.csv"; path_exists(file)) {
    const std::string text = read_file(file);
    const std::int64_t epochs = std::count(text.begin(), text.end(), '\n') - 1;
    if (every_epochs > 0 && epochs > 2 * every_epochs) {
      evidence = fmt::format("history.csv tells of {} epochs", epochs);  // the second waits for the first
    }
  }
  for (const char* name : {"model.keras", "result.json"}) {
    if (path_exists(run_dir + "/" + name)) evidence = std::string(name) + " is there";
  }
  if (const std::string file = run_dir + "/log.txt"; path_exists(file)) {
    std::istringstream log(read_file(file));
    for (std::string line; std::getline(log, line);) {
      if (line.find(" checkpoint ") != std::string::npos && line.find(" written: ") != std::string::npos) evidence = "log.txt tells of one";
    }
  }
  if (evidence.empty()) return;
  throw Error(
      fmt::format("{0} holds no checkpoint to go on from, although it has trained ({1}); is {0}/checkpoints on a file system that is not "
                  "mounted? Bring it back, "
                  "or start anew in another directory",
                  run_dir, evidence));
}

template <class Value>
void expect_same(const char* key, const Value& before, const Value& now, const char* remedy) {
  if (before == now) return;
  throw Error(fmt::format("the checkpoint was made with {} {}, but now it is {}; {}", key, before, now, remedy), kUsage);
}

std::string list_of(const std::vector<std::string>& names) { return fmt::format("'{}'", fmt::join(names, ", ")); }

}  // namespace

ResumeSource::ResumeSource(const TrainArguments& arguments) : run_dir(run_dir_of(arguments.resume)) {
  if (!run_dir.empty()) {
    checkpoint = arguments.resume;
  } else if (is_checkpoint(arguments.resume)) {
    checkpoint = arguments.resume;
    if (arguments.run_dir.empty()) {
      throw Error(checkpoint + " is a checkpoint outside a run directory; give --run-dir DIR for the run that goes on from it", kUsage);
    }
  } else {
    run_dir = arguments.resume;
  }
  std::error_code neither_is_there;
  branches = !arguments.run_dir.empty() && (run_dir.empty() || !std::filesystem::equivalent(run_dir, arguments.run_dir, neither_is_there));
}

std::filesystem::path ResumeSource::config() const {
  const bool run_is_there = !run_dir.empty() && path_exists(run_dir + "/config.yaml");
  if (branches && !checkpoint.empty() && (!run_is_there || path_exists(checkpoint + "/config.yaml"))) {
    return checkpoint_run_config(checkpoint);
  }
  return RunDirectory::open(run_dir).config();
}

std::filesystem::path resumed_config(const TrainArguments& arguments) {
  if (arguments.goes_on && path_exists(arguments.run_dir + "/config.yaml")) {
    const RunDirectory run = RunDirectory::open(arguments.run_dir);
    if (!run.untrained()) return run.config();
  }
  return ResumeSource(arguments).config();
}

std::string all_epochs_done(std::int64_t epochs) { return fmt::format("all {} epochs done", epochs); }

/// Whether all epochs are done and all of their result is on disk: result.json comes last, and once more with the scores of the test data.
bool TrainingRun::result_is_kept(const std::filesystem::path& run_dir) const {
  if (!std::filesystem::exists(run_dir / "result.json") || !std::filesystem::exists(run_dir / "model.keras")) return false;
  const auto json = nlohmann::json::parse(read_config_file(run_dir / "result.json"), nullptr, false);
  if (!json.is_object() || !json.contains("ended") || json["ended"] != all_epochs_done(config_.fit.epochs)) return false;
  return !config_.test || (json.contains("final") && json["final"].contains("test"));
}

/// Takes a directory to go on in.
void TrainingRun::enter(const std::string& directory) {
  directory_.emplace(arguments_.goes_on ? RunDirectory::enter(directory) : RunDirectory::open(directory));
  if (arguments_.goes_on) check_same_run(*directory_, config_.yaml);
  directory_->lock();  // nobody changes what is looked at from here on
  if (arguments_.goes_on) check_same_run(*directory_, config_.yaml);
}

/// The newest one of a run that is whole; a warning for each that is passed over. None if there is none and none is needed.
std::optional<CheckpointInfo> TrainingRun::own_checkpoint(const std::string& directory, bool needed) const {
  const NewestCheckpoint newest = newest_checkpoint(directory);
  for (const std::string& why : newest.skipped) fmt::print(stderr, "warning: skipped a checkpoint: {}\n", why);
  if (!newest.found && !newest.skipped.empty()) {
    throw Error(directory + ": every checkpoint is damaged (see the warnings above); start again in another directory");
  }
  if (!newest.found && !result_is_kept(directory)) expect_never_saved(directory, config_.checkpoint.every_epochs);
  if (!newest.found && needed) throw Error("no checkpoint in " + directory + " to resume from; start it again without --resume", kUsage);
  return newest.found;
}

/// What --resume names: in the run's own directory, or to branch off from, which may be any.
CheckpointInfo TrainingRun::source_checkpoint(const ResumeSource& source) {
  if (source.checkpoint.empty()) return *own_checkpoint(source.run_dir, true);
  if (!source.branches) return named_checkpoint(source.checkpoint, source.run_dir, newest_checkpoint(source.run_dir));
  if (!is_checkpoint(source.checkpoint)) throw Error("there is no checkpoint " + source.checkpoint, kUsage);
  const CheckpointState state = verify_checkpoint(source.checkpoint);
  return {source.checkpoint, state.epoch + 1, state.global_step, state.time, 0};
}

/// Rank 0 looks for the checkpoint to go on from. With --continue there may be none. Collective.
void TrainingRun::find_checkpoint() {
  if (arguments_.resume.empty() && !arguments_.goes_on) return;
  world_.agree([&] {
    if (!leads()) return;
    if (arguments_.goes_on && path_exists(arguments_.run_dir)) {
      enter(arguments_.run_dir);
      from_ = own_checkpoint(arguments_.run_dir, false);
    }
    if (!from_ && !arguments_.resume.empty()) {
      const ResumeSource source(arguments_);
      if (!source.branches && !directory_) enter(source.run_dir);
      from_ = source_checkpoint(source);
      expect_epochs_left(source.branches);
    } else if (from_) {
      expect_epochs_left(false);
    }
  });
  resumes_ = world_.broadcast(from_ ? "resumes" : "") == "resumes";
}

/// A run that has done what is asked for, or more, is left as it is; one that has lost the result of its last epoch does its end once more.
void TrainingRun::expect_epochs_left(bool branches) const {
  const CheckpointState state = read_checkpoint_state(from_->path);
  const std::int64_t asked = config_.fit.epochs;
  if (state.epoch < asked) return;
  if (state.epoch > asked || state.step_in_epoch > 0) {
    throw Error(fmt::format("{} is beyond the {} epochs that are asked for: it has done {}{}; ask for more by --epochs, or start a run of "
                            "{} in another directory",
                            from_->path, asked, state.epoch,
                            state.step_in_epoch > 0 ? fmt::format(" and {} steps of the next", state.step_in_epoch) : "", asked),
                kUsage);
  }
  if (!branches && (arguments_.goes_on || !result_is_kept(directory_->path()))) return;
  const std::string run = run_dir_of(from_->path);
  throw Error(fmt::format("all {} epochs of {} are done; ask for more by --epochs", asked, run.empty() ? from_->path : run), kUsage);
}

/// Of --continue: whether all epochs were done before and everything of them is on disk. Collective.
bool TrainingRun::done_before() {
  const bool done = leads() && arguments_.goes_on && result_is_kept(arguments_.run_dir);
  if (done)
    fmt::print("{} before; see {}\n", all_epochs_done(config_.fit.epochs),
               (std::filesystem::path(arguments_.run_dir) / "result.json").string());
  return world_.broadcast(done ? "done" : "") == "done";
}

/// Rank 0 reads the checkpoint; fit() hands its weights to all ranks. Collective.
void TrainingRun::resume() {
  if (!resumes_) return;
  std::error_code neither_is_there;
  const bool same_run = leads() && arguments_.goes_on && std::filesystem::equivalent(run_dir_of(from_->path), path_, neither_is_there);
  const bool continues = world_.broadcast(same_run ? "same" : "") == "same";
  const auto before = [&](const CheckpointState& state) {
    return DataIdentity::Before{state.data, state.step_in_epoch > 0, continues, path_.string()};
  };
  std::string text;
  world_.agree([&] {
    if (!leads()) return;
    const CheckpointState state = load_checkpoint(from_->path, *model_);
    check_same_batches(state);
    if (state.step_in_epoch > 0) check_same_epoch(state);
    identity_->expect(before(state));
    if (!state.healthy)
      fmt::print(stderr, "warning: its loss or weights are not finite numbers; what is trained from here on will not be either\n");
    check_same_bits(state);
    fmt::print("resuming from {} (epoch {}, step {})\n", from_->path, state.epoch + 1, state.step_in_epoch);
    choose_learning_rate(state);
    text = checkpoint_state_json(state);
  });
  const CheckpointState state = checkpoint_state_from_json("state.json", world_.broadcast(text));
  if (!leads()) identity_->expect(before(state));
  before_ = state.history;
  samples_before_ = state.samples;
  seconds_before_ = state.seconds;
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

/// What every checkpoint of this run says alike.
CheckpointState TrainingRun::constant_state() const {
  CheckpointState state{
      .batch_size = config_.fit.batch_size, .shards = config_.fit.shards, .seed = config_.seed, .shuffle = config_.fit.shuffle};
  state.samples = samples_before_;
  state.seconds = seconds_before_;
  state.rows = training_rows();
  state.loss = name_of(config_.compile.loss);
  state.learning_rate = lockstep::learning_rate(config_.compile.optimizer);
  state.facts = bit_facts();
  state.run_config = config_.yaml;
  state.versions = all_versions();
  return state;
}

/// The configured rate replaces the checkpoint's only if another one was configured then: a callback may have changed it since.
void TrainingRun::choose_learning_rate(const CheckpointState& state) {
  const float configured = lockstep::learning_rate(config_.compile.optimizer), kept = model_->optimizer()->learning_rate();
  if (configured == state.learning_rate.value_or(kept)) return;
  model_->optimizer()->set_learning_rate(configured);
  fmt::print("learning rate  {} as it is configured now, instead of the checkpoint's {}\n", configured, kept);
}

/// A difference is an error in reproducible mode and a warning otherwise.
void TrainingRun::check_same_bits(const CheckpointState& state) const {
  const std::map<std::string, std::string> now = bit_facts();
  for (const auto& [fact, before] : state.facts) {
    const auto found = now.find(fact);
    if (found == now.end() || found->second == before) continue;
    if (config_.fit.reproducible) {
      throw Error(fmt::format("{} was '{}' when the checkpoint was made and is '{}' now, so the weights would not be those of the run "
                              "without a break, as 'reproducible: "
                              "true' promises; resume where it is '{}', or with --set reproducible=false",
                              fact, before, found->second, before),
                  kUsage);
    }
    fmt::print(stderr,
               "warning: {} was '{}' when the checkpoint was made and is '{}' now: the weights will differ in their last bits from those "
               "of the run without a break\n",
               fact, before, found->second);
  }
}

/// The batches that come next are those of the checkpoint only if these have stayed.
void TrainingRun::check_same_batches(const CheckpointState& state) const {
  const char* const remedy = "resume with the same, or start a new run";
  expect_same("training.batch_size", state.batch_size, config_.fit.batch_size, remedy);
  expect_same("training.shards", state.shards, config_.fit.shards, remedy);
  expect_same("seed", state.seed, config_.seed, remedy);
  expect_same("training.shuffle", state.shuffle, config_.fit.shuffle, remedy);
}

/// In the middle of an epoch its other steps must be of the same rows, and their loss and metrics are added to those of the steps before.
void TrainingRun::check_same_epoch(const CheckpointState& state) const {
  const char* const remedy = "it stands in the middle of an epoch, so resume with the same; between epochs this may change";
  const CheckpointState now = constant_state();
  std::vector<std::string> metrics = {"loss"};
  for (const MetricSpec& metric : model_->compile_options().metrics) metrics.push_back(metric.name);
  expect_same("training.metrics", list_of(state.metric_names), list_of(metrics), remedy);
  if (!state.loss.empty()) expect_same("training.loss", state.loss, now.loss, remedy);
  expect_same("steps per epoch", state.steps_per_epoch, sampler()->steps(), remedy);
  if (state.rows > 0) expect_same("training rows", state.rows, now.rows, remedy);
}

}  // namespace lockstep
