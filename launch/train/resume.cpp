// --resume and --continue: what there is to go on from, and going on from it.
#include "launch/train/resume.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstdio>
#include <sstream>

#include "cluster/json.h"
#include "io/checkpoint/folder.h"
#include "io/checkpoint/state.h"
#include "io/config/change.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "io/run/versions.h"

namespace lockstep {
namespace {

/// What --resume names, and whether --run-dir branches off from it. Reads files: only for rank 0.
struct ResumeSource {
  explicit ResumeSource(const TrainArguments& arguments);
  /// The configuration to go on with: the run's, or a named checkpoint's own where the run branches off.
  std::filesystem::path config() const;

  std::string run_dir;     ///< empty: a checkpoint outside any run directory
  std::string checkpoint;  ///< empty: the newest one
  bool branches = false;   ///< the new run writes to --run-dir; what --resume names is only read
};

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
      fmt::format("{0} holds no checkpoint to go on from, although it has trained ({1}); is {0}/checkpoints on a "
                  "file system that is not mounted? Bring it back, or start anew in another directory",
                  run_dir, evidence));
}

/// Whether all epochs are done and all of their result is on disk: result.json comes last, and once more with the scores of the test data.
bool result_is_kept(const RunConfig& config, const std::filesystem::path& run_dir) {
  if (!std::filesystem::exists(run_dir / "result.json") || !std::filesystem::exists(run_dir / "model.keras")) return false;
  const Json json = Json::parse_or_null(read_config_file(run_dir / "result.json"));
  if (json["ended"] != all_epochs_done(config.fit.epochs)) return false;
  return !config.test || json["final"].contains("test");
}

/// Takes a directory to go on in.
RunDirectory enter(const TrainArguments& arguments, const RunConfig& config, const std::string& directory) {
  RunDirectory run = arguments.continue_run ? RunDirectory::enter(directory) : RunDirectory::open(directory);
  if (arguments.continue_run) check_same_run(run, config.yaml);
  run.lock();  // nobody changes what is looked at from here on
  if (arguments.continue_run) check_same_run(run, config.yaml);
  return run;
}

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

/// The newest one of a run that is whole; a warning for each that is passed over. None if there is none and none is needed.
std::optional<CheckpointInfo> own_checkpoint(const RunConfig& config, const std::string& directory, bool needed) {
  const NewestCheckpoint newest = newest_checkpoint(directory);
  for (const std::string& why : newest.skipped) fmt::print(stderr, "warning: skipped a checkpoint: {}\n", why);
  if (!newest.found && !newest.skipped.empty()) {
    throw Error(directory + ": every checkpoint is damaged (see the warnings above); start again in another directory");
  }
  if (!newest.found && !result_is_kept(config, directory)) expect_never_saved(directory, config.checkpoint.every_epochs);
  if (!newest.found && needed) throw Error("no checkpoint in " + directory + " to resume from; start it again without --resume", kUsage);
  return newest.found;
}

/// What --resume names: in the run's own directory, or to branch off from, which may be any.
CheckpointInfo source_checkpoint(const RunConfig& config, const ResumeSource& source) {
  if (source.checkpoint.empty()) return *own_checkpoint(config, source.run_dir, true);
  if (!source.branches) return named_checkpoint(source.checkpoint, source.run_dir, newest_checkpoint(source.run_dir));
  if (!is_checkpoint(source.checkpoint)) throw Error("there is no checkpoint " + source.checkpoint, kUsage);
  const CheckpointState state = verify_checkpoint(source.checkpoint);
  return {source.checkpoint, state.epoch + 1, state.global_step, state.time, 0};
}

/// A run that has done what is asked for, or more, is left as it is; one that has lost the result of its last epoch does its end once more.
void expect_epochs_left(const TrainArguments& arguments, const RunConfig& config, const ResumePoint& point, bool branches) {
  const CheckpointState state = read_checkpoint_state(point.checkpoint->path);
  const std::int64_t asked = config.fit.epochs;
  if (state.epoch < asked) return;
  if (state.epoch > asked || state.step_in_epoch > 0) {
    throw Error(fmt::format("{} is beyond the {} epochs that are asked for: it has done {}{}; ask for more by --epochs, or start a run of "
                            "{} in another directory",
                            point.checkpoint->path, asked, state.epoch,
                            state.step_in_epoch > 0 ? fmt::format(" and {} steps of the next", state.step_in_epoch) : "", asked),
                kUsage);
  }
  if (!branches && (arguments.continue_run || !result_is_kept(config, point.directory->path()))) return;
  const std::string run = run_dir_of(point.checkpoint->path);
  throw Error(fmt::format("all {} epochs of {} are done; ask for more by --epochs", asked, run.empty() ? point.checkpoint->path : run),
              kUsage);
}

template <class Value>
void expect_same(const char* key, const Value& before, const Value& now, const char* remedy) {
  if (before == now) return;
  throw Error(fmt::format("the checkpoint was made with {} {}, but now it is {}; {}", key, before, now, remedy), kUsage);
}

std::string list_of(const std::vector<std::string>& names) { return fmt::format("'{}'", fmt::join(names, ", ")); }

/// The configured rate replaces the checkpoint's only if another one was configured then: a callback may have changed it since.
void choose_learning_rate(const CheckpointState& state, const RunConfig& config, Sequential& model) {
  if (model.optimizer()->scheduled()) return;  // the rate follows from the step
  const float configured = lockstep::learning_rate(config.compile.optimizer).number, kept = model.optimizer()->learning_rate();
  if (configured == state.learning_rate.value_or(kept)) return;
  model.optimizer()->set_learning_rate(configured);
  fmt::print("learning rate  {} as it is configured now, instead of the checkpoint's {}\n", configured, kept);
}

/// A difference is an error in reproducible mode and a warning otherwise.
void check_same_bits(const CheckpointState& state, const RunConfig& config, const RunPlan& plan) {
  for (const auto& [fact, before] : state.facts) {
    const auto found = plan.bits.find(fact);
    if (found == plan.bits.end() || found->second == before) continue;
    if (config.fit.reproducible) {
      throw Error(fmt::format("{} was '{}' when the checkpoint was made and is '{}' now, so the weights "
                              "would not be those of the run without a break, as 'reproducible: true' "
                              "promises; resume where it is '{}', or with --set reproducible=false",
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
void check_same_batches(const CheckpointState& state, const RunConfig& config) {
  const char* const remedy = "resume with the same, or start a new run";
  expect_same("training.batch_size", state.batch_size, config.fit.batch_size, remedy);
  expect_same("training.shards", state.shards, config.fit.shards, remedy);
  expect_same("seed", state.seed, config.seed, remedy);
  expect_same("training.shuffle", state.shuffle, config.fit.shuffle, remedy);
}

/// In the middle of an epoch its other steps must be of the same rows, and their loss and metrics are added to those of the steps before.
void check_same_epoch(const CheckpointState& state, const RunConfig& config, const RunPlan& plan, const Sequential& model) {
  const char* const remedy = "it stands in the middle of an epoch, so resume with the same; between epochs this may change";
  std::vector<std::string> metrics = {"loss"};
  for (const MetricSpec& metric : model.compile_options().metrics) metrics.push_back(metric.name);
  expect_same("training.metrics", list_of(state.metric_names), list_of(metrics), remedy);
  if (!state.loss.empty()) expect_same("training.loss", state.loss, name_of(config.compile.loss), remedy);
  expect_same("steps per epoch", state.steps_per_epoch, plan.training.steps_per_epoch(), remedy);
  if (state.rows > 0) expect_same("training rows", state.rows, plan.training.rows.train.size(), remedy);
}

}  // namespace

std::filesystem::path resumed_config(const TrainArguments& arguments) {
  if (arguments.continue_run && path_exists(arguments.run_dir + "/config.yaml")) {
    const RunDirectory run = RunDirectory::open(arguments.run_dir);
    if (!run.untrained()) return run.config();
  }
  return ResumeSource(arguments).config();
}

std::string all_epochs_done(std::int64_t epochs) { return fmt::format("all {} epochs done", epochs); }

ResumePoint find_resume_point(const TrainArguments& arguments, const RunConfig& config, const World& world) {
  ResumePoint point;
  if (arguments.resume.empty() && !arguments.continue_run) return point;
  world.agree([&] {
    if (world.rank() != 0) return;
    if (arguments.continue_run && path_exists(arguments.run_dir)) {
      point.directory.emplace(enter(arguments, config, arguments.run_dir));
      point.checkpoint = own_checkpoint(config, arguments.run_dir, false);
    }
    if (!point.checkpoint && !arguments.resume.empty()) {
      const ResumeSource source(arguments);
      if (!source.branches && !point.directory) point.directory.emplace(enter(arguments, config, source.run_dir));
      point.checkpoint = source_checkpoint(config, source);
      expect_epochs_left(arguments, config, point, source.branches);
    } else if (point.checkpoint) {
      expect_epochs_left(arguments, config, point, false);
    }
    if (point.checkpoint) point.model = read_file(point.checkpoint->path + "/config.json");
    point.done = arguments.continue_run && result_is_kept(config, arguments.run_dir);
  });
  const std::string found = world.broadcast(point.checkpoint ? "found" : "");
  point.found = !found.empty();
  point.model = world.broadcast(point.model);
  point.done = !world.broadcast(point.done ? "done" : "").empty();
  return point;
}

CheckpointState constant_state(const RunConfig& config, const RunPlan& plan, const EarlierStarts& before) {
  CheckpointState state{
      .batch_size = config.fit.batch_size, .shards = config.fit.shards, .seed = config.seed, .shuffle = config.fit.shuffle};
  state.samples = before.samples;
  state.seconds = before.seconds;
  state.rows = plan.training.rows.train.size();
  state.loss = name_of(config.compile.loss);
  if (const LearningRate& rate = learning_rate(config.compile.optimizer); !rate.kind) state.learning_rate = rate.number;
  state.facts = plan.bits;
  state.run_config = config.yaml;
  state.versions = all_versions();
  return state;
}

EarlierStarts load_resume_point(const ResumePoint& point, const TrainArguments& arguments, RunConfig& config, const RunPlan& plan,
                                Sequential& model, DataIdentity& data, const std::filesystem::path& path, const World& world) {
  const bool leads = world.rank() == 0;
  std::error_code neither_is_there;
  const bool same_run =
      leads && arguments.continue_run && std::filesystem::equivalent(run_dir_of(point.checkpoint->path), path, neither_is_there);
  const bool continues = world.broadcast(same_run ? "same" : "") == "same";
  const auto before = [&](const CheckpointState& state) {
    return DataIdentity::Before{state.data, state.step_in_epoch > 0, continues, path.string()};
  };
  std::string text;
  world.agree([&] {
    if (!leads) return;
    const CheckpointState state = load_checkpoint(point.checkpoint->path, model);
    check_same_batches(state, config);
    if (state.step_in_epoch > 0) check_same_epoch(state, config, plan, model);
    data.expect(before(state));
    if (!state.healthy)
      fmt::print(stderr, "warning: its loss or weights are not finite numbers; what is trained from here on will not be either\n");
    check_same_bits(state, config, plan);
    fmt::print("resuming from {} (epoch {}, step {})\n", point.checkpoint->path, state.epoch + 1, state.step_in_epoch);
    choose_learning_rate(state, config, model);
    text = checkpoint_state_json(state);
  });
  const CheckpointState state = checkpoint_state_from_json("state.json", world.broadcast(text));
  if (!leads) data.expect(before(state));
  config.fit.initial_epoch = state.epoch;
  config.fit.initial_step = state.step_in_epoch;
  config.fit.callback_states = state.callbacks;
  return {state.history, state.sums, state.samples, state.seconds};
}

}  // namespace lockstep
