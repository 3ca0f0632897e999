#include "launch/train/training_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cstdio>
#include <memory>
#include <optional>

#include "cluster/coordinator/coordinator.h"
#include "cluster/fingerprint.h"
#include "cluster/host/process_limits.h"
#include "cluster/host/process_usage.h"
#include "cluster/json.h"
#include "cluster/status/status_board.h"
#include "cluster/trace/clock_offset.h"
#include "cluster/trace/trace.h"
#include "cluster/watchdog/crash_report.h"
#include "cluster/watchdog/rank_log.h"
#include "cluster/watchdog/watchdog.h"
#include "io/run/advice.h"
#include "io/run/trace_file.h"
#include "io/run/versions.h"
#include "launch/train/announce.h"
#include "launch/train/callbacks.h"
#include "launch/train/checkpoint_callback.h"
#include "launch/train/data_identity.h"
#include "launch/train/data_sets.h"
#include "launch/train/evidence.h"
#include "launch/train/plan.h"
#include "launch/train/results.h"
#include "launch/train/resume.h"
#include "launch/train/run_limits.h"

namespace lockstep {
namespace {

/// The options that are short forms of --set.
std::vector<std::string> overrides(const TrainArguments& arguments, const RunConfig& base) {
  std::vector<std::string> sets = arguments.sets;
  const auto set = [&](const std::string& key, const auto& value) { sets.push_back(key + "=" + fmt::format("{}", value)); };
  if (!arguments.data.empty()) {
    set("data.train.file", arguments.data);
    if (base.validation) set("data.validation.file", arguments.data);
    if (base.test) set("data.test.file", arguments.data);
  }
  if (arguments.epochs > 0) set("training.epochs", arguments.epochs);
  if (arguments.batch_size > 0) set("training.batch_size", arguments.batch_size);
  if (arguments.seed) set("seed", *arguments.seed);
  if (arguments.threads > 0) set("cluster.threads", arguments.threads);
  if (arguments.timeout > 0) set("cluster.timeout", arguments.timeout);
  if (!arguments.allreduce.empty()) set("cluster.allreduce", arguments.allreduce);
  if (!arguments.exchange.empty()) set("cluster.exchange", arguments.exchange);
  if (arguments.reproducible) set("reproducible", true);
  if (!arguments.progress.empty()) set("cluster.progress", arguments.progress);
  return sets;
}

/// Read by rank 0 alone, so that all ranks train the same model even where their file systems differ. Collective.
RunConfig load_config(const TrainArguments& arguments, const World& world) {
  std::string file, text;
  world.agree([&] {
    if (world.rank() != 0) return;
    file = arguments.resume.empty() ? arguments.config : resumed_config(arguments).string();
    text = read_config_file(file);
  });
  file = world.broadcast(file);
  text = world.broadcast(text);
  RunConfig config;
  world.agree([&] {
    config = parse_config(text, file, arguments.sets);
    config = parse_config(text, file, overrides(arguments, config));
  });
  config.fit.verbose = arguments.verbose;
  return config;
}

/// What lives as long as a training; the members in the order in which they come to life. Every member function is collective.
class TrainingRun {
 public:
  TrainingRun(const TrainArguments& arguments, const World& world, StopSignals& signals, const TrainingObserver& observer)
      : arguments_(arguments),
        world_(world),
        signals_(signals),
        observer_(observer),
        config_(load_config(arguments, world)),
        watchdog_(world, Watchdog::Options{config_.timeout, &signals}) {}
  void operator()();

 private:
  void run();
  void compare_ranks();
  void check_limits();
  void begin_trace();
  void make_directory();
  void watch();
  void serve();
  void keep_config();
  void train();
  void finish();
  RunResult result() const;
  Scores test_scores();
  void record_fault(const Diagnosis& diagnosis) const;
  void restore_config() const;
  bool leads() const { return world_.rank() == 0; }

  const TrainArguments& arguments_;
  const World& world_;
  StopSignals& signals_;
  const TrainingObserver& observer_;
  RunConfig config_;
  std::optional<RankLog> log_;
  std::optional<CrashReport> crash_report_;
  Watchdog watchdog_;
  ResumePoint point_;
  std::optional<DataSets> data_;
  std::optional<DataIdentity> identity_;  // of these
  std::optional<Sequential> model_;
  std::optional<RunPlan> plan_;
  std::optional<QuotaBefore> quota_;
  std::optional<Trace> trace_;
  ClockOffset clock_;                      // at the start
  std::optional<RunDirectory> directory_;  // of rank 0; since watch() on other ranks, too, to see whether it is still there
  std::filesystem::path path_;
  EarlierStarts before_;
  std::string config_before_;  // rank 0: what config.yaml was before a resume
  StatusBoard board_;
  std::unique_ptr<Coordinator> coordinator_;
  std::optional<HistoryCsv> csv_;                  // rank 0
  std::optional<CheckpointCallback> checkpoints_;  // rank 0
  TrainingOutcome outcome_;
};

void TrainingRun::run() {
  point_ = find_resume_point(arguments_, config_, world_);
  if (point_.done) {
    if (leads()) fmt::print("{} before; see {}\n", all_epochs_done(config_.fit.epochs), point_.directory->result().string());
    return;
  }
  directory_ = std::move(point_.directory);
  StoredModel first = first_model(config_, point_.model, world_);
  {
    const ScopedStage stage(world_.activity(), Stage::opening_data);
    world_.agree([&] { data_.emplace(config_, first.model.names()); });
  }
  compare_ranks();
  model_ = make_model(std::move(first), config_, *data_, !point_.model.empty(), world_);
  plan_ = make_run_plan(config_, *model_, data_->train, world_);
  config_.fit.plan = &plan_->training;
  check_limits();
  begin_trace();
  make_directory();
  watch();
  if (point_.found) {
    before_ = load_resume_point(point_, arguments_, config_, *plan_, *model_, *identity_, path_, world_);
    config_.fit.initial_sums = &before_.sums;
  }
  if (leads()) announce(config_, *plan_, *model_, *data_, *directory_);
  board_.start(run_info(config_, *plan_, *model_, path_, world_));
  observer_.directory_made();
  if (config_.coordinator) serve();
  observer_.coordinator_up();
  try {
    keep_config();
    train();
  } catch (const std::exception& error) {
    const auto* const refusal = dynamic_cast<const Error*>(&error);  // of large data, which are known only now
    if (!config_before_.empty() && !identity_->compared() && refusal != nullptr && refusal->exit_code() == kUsage) restore_config();
    board_.finish(Phase::failed, error.what());
    if (leads()) directory_->log(std::string("failed: ") + error.what());
    throw;
  }
}

/// What a file system or an installation that is not the same on all hosts would silently spoil.
void TrainingRun::compare_ranks() {
  agree_on(world_, "Lockstep's version", all_versions().at("lockstep"));
  identity_.emplace(world_);
  identity_->add("training", data_->train);
  if (data_->validation) identity_->add("validation", *data_->validation);
  if (data_->test) identity_->add("test", *data_->test);
}

/// Limits that would stop the run later, and not with a message of ours.
void TrainingRun::check_limits() {
  world_.agree([&] {
    check_rank_limits(world_, plan_->training.threads, config_.coordinator);
    const double bytes = plan_->training.memory.shared;
    if (bytes == 0 || world_.local_rank() != 0) return;
    const bool factors = config_.fit.exchange == ExchangeKind::factors || config_.fit.reproducible;  // asked for: no ring instead
    const std::string what = fmt::format("a model on {} ranks of a host", world_.local_size());
    const double file = sizeof(float) * static_cast<double>(plan_->training.memory.parameters);  // one of them is at least so large
    check_shared_memory(bytes, file, factors ? what : what + " (--allreduce ring goes without)", world_.hostname());
  });
}

/// The file is tried before anything is trained: a wrong path must not be told at the end of a long run.
void TrainingRun::begin_trace() {
  if (arguments_.trace.empty()) return;
  world_.agree([&] {
    if (leads()) write_text_file(arguments_.trace, trace_json({}));
  });
  trace_.emplace(Trace::room(world_.size()));
  config_.fit.trace = &*trace_;
  clock_ = clock_offset(world_);
}

void TrainingRun::make_directory() {
  world_.agree([&] {
    if (!leads()) return;
    if (!directory_) {  // else it was there, and find_resume_point has looked into it
      const std::optional<std::filesystem::path> wanted =
          arguments_.run_dir.empty() ? std::nullopt : std::optional<std::filesystem::path>(arguments_.run_dir);
      directory_.emplace(arguments_.continue_run ? RunDirectory::enter(*wanted) : RunDirectory::create(wanted, config_.name));
      directory_->lock();
      if (!arguments_.continue_run) directory_->expect_untrained();
    }
    if (config_.run_dir_mode || directory_->created()) {
      directory_->set_mode(config_.run_dir_mode.value_or(std::filesystem::perms::owner_all));
    }
    if (!point_.found) write_text_file(directory_->config(), config_.yaml);
  });
  path_ = world_.broadcast(leads() ? directory_->path().string() : "");
}

/// The log of this rank, and the watchdog's words in it.
void TrainingRun::watch() {
  log_.emplace(world_, path_);
  if (!leads()) directory_ = RunDirectory::locked_by_another(path_);
  crash_report_.emplace(*log_, world_.activity());
  if (leads() && !log_->elsewhere().empty()) fmt::print("logs           {}\n", log_->elsewhere());
  log_->line(fmt::format("rank {} of {} started on {}, pid {}", world_.rank(), world_.size(), world_.hostname(), getpid()));
  watchdog_.log_to(&*log_);
  watchdog_.on_verdict([this](const Diagnosis& diagnosis) { record_fault(diagnosis); });
}

/// The coordinator's service for clients.
void TrainingRun::serve() {
  config_.coordinator_options.run_dir = path_;
  config_.coordinator_options.watchdog = &watchdog_;
  if (leads()) config_.coordinator_options.before_write = [this] { directory_->expect_held(); };
  coordinator_ = std::make_unique<Coordinator>(world_, board_, config_.coordinator_options);
  if (leads()) fmt::print("coordinator    {} (lockstep watch {})\n", coordinator_->address(), path_.string());
  std::fflush(stdout);
  if (const std::string warning = coordinator_->warning(); !warning.empty()) {
    std::fprintf(stderr, "warning: %s\n", warning.c_str());
    directory_->log("warning: " + warning);
  }
}

/// A resume's configuration replaces the run's only now: one that was refused must not stay.
void TrainingRun::keep_config() {
  world_.agree([&] {
    if (!leads() || !point_.found) return;
    directory_->expect_held();
    if (std::filesystem::exists(directory_->config())) config_before_ = read_config_file(directory_->config());
    write_text_file(directory_->config(), config_.yaml);
  });
}

void TrainingRun::restore_config() const {
  try {
    directory_->expect_held();
    write_text_file(directory_->config(), config_before_);
  } catch (const std::exception& error) {
    directory_->log(std::string("warning: ") + error.what());
  }
}

void TrainingRun::train() {
  BoardCallback publisher(board_, signals_);
  RankLogCallback logger(*log_);
  std::vector<Callback*>& callbacks = config_.fit.callbacks;
  callbacks = {&*identity_, &publisher, &outcome_, &logger};
  if (leads()) {
    csv_.emplace(directory_->history(), before_.history, [this] { directory_->expect_held(); });
    checkpoints_.emplace(config_, *directory_, board_, before_.history, constant_state(config_, *plan_, before_), *identity_);
    callbacks.insert(callbacks.end(), {&*csv_, &*checkpoints_});
  }
  callbacks.insert(callbacks.end(), observer_.callbacks.begin(), observer_.callbacks.end());
  quota_.emplace();
  const auto start = std::chrono::steady_clock::now();
  outcome_.history = joined(before_.history, model_->fit(data_->train, config_.fit, world_));
  outcome_.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  finish();
}

RunResult TrainingRun::result() const {
  RunResult result{.plan = plan_->training};
  result.name = config_.name;
  result.ended = how_it_ended(outcome_, signals_, world_);
  result.seed = config_.seed;
  result.epochs_done = outcome_.history.epoch.empty() ? 0 : outcome_.history.epoch.back() + 1;
  result.steps = outcome_.steps;
  result.samples = outcome_.samples;
  result.seconds = outcome_.seconds;
  if (leads()) {
    result.total_steps = outcome_.total_steps;
    result.total_samples = checkpoints_->samples();
    if (before_.seconds) result.total_seconds = *before_.seconds + outcome_.seconds;
  }
  result.profile = outcome_.last.profile;
  result.time = time_report(gather_profiles(result.profile, world_));
  result.advice = advise(result.time, gather_facts(config_, *plan_, data_->train, result.profile, *quota_, world_));
  result.first_step = outcome_.first_step;
  for (const std::string& bytes : world_.all_gather(std::to_string(outcome_.memory))) result.memory.push_back(std::stoll(bytes));
  for (const std::string& bytes : world_.all_gather(std::to_string(peak_memory()))) result.peak_memory.push_back(std::stoll(bytes));
  result.history = outcome_.history;
  result.metrics = model_->compile_options().metrics;
  result.ranks = plan_->places;
  result.versions = all_versions();
  result.names = model_->names();
  return result;
}

/// A training is saved before its test data are scored.
void TrainingRun::finish() {
  const ScopedStage stage(world_.activity(), Stage::finishing);
  RunResult ended = result();
  ended.digest = fmt::format("{:016x}", model_->digest());
  std::optional<ResultWriter> writer;
  if (leads()) {
    writer.emplace(*directory_, *csv_, *checkpoints_);
    writer->write(*model_, ended);
  }
  if (data_->test && !outcome_.stopped()) {
    ended.test = test_scores();
    if (leads()) writer->write(ended);
  }
  if (trace_) write_trace(arguments_.trace, *trace_, clock_, world_);
  if (leads()) {
    directory_->log("ended: " + ended.ended);
    print_end(ended, trace_ ? arguments_.trace : "");
    if (writer->lost().empty()) fmt::print("{}; see {}\n", ended.ended, directory_->result().string());
    std::fflush(stdout);
  }
  world_.agree([&] {
    if (!leads()) return;
    if (!writer->lost().empty()) throw Error(writer->lost());
    if (!writer->failures().empty())
      throw Error("training is over (" + ended.ended + "), but not all of it is on disk: " + writer->failures());
  });
  board_.finish(Phase::finished, ended.ended);
}

/// When the training is on disk already.
Scores TrainingRun::test_scores() {
  try {
    return model_->evaluate(*data_->test, world_);
  } catch (const AgreedError& error) {
    throw AgreedError("training is over, " + (path_ / "model.keras").string() +
                          " and result.json are written, but the test data cannot be scored: " + error.what(),
                      error.exit_code(), error.failing_rank(), error.failing_host());
  }
}

/// RUN_DIR/fault.json: what the job has ended for, for `lockstep launch`. From the watchdog's thread.
void TrainingRun::record_fault(const Diagnosis& diagnosis) const {
  const Json fault = {{"host", diagnosis.host}, {"message", diagnosis.text}, {"rank", diagnosis.rank}, {"step", diagnosis.step}};
  try {
    if (!directory_) return;  // this host does not show it
    directory_->expect_held();
    write_text_file(path_ / "fault.json", fault.dump(2) + "\n");
    if (leads()) directory_->log("failed: [rank " + std::to_string(diagnosis.rank) + " on " + diagnosis.host + "] " + diagnosis.text);
  } catch (const std::exception& error) {
    log_->line(std::string("fault.json: ") + error.what());
  }
}

void TrainingRun::operator()() {
  try {
    run();
  } catch (const AgreedError& error) {
    if (log_) log_->line(std::string("error that all ranks know: ") + error.what());
    if (log_ && leads()) record_fault({error.failing_rank(), error.failing_host(), world_.activity().cell().step, error.what()});
    watchdog_.rest();
    throw;
  } catch (const std::exception& error) {
    if (log_) record_fault({world_.rank(), world_.hostname(), world_.activity().cell().step, error.what()});
    watchdog_.leaving(error.what());
    throw;
  }
  if (log_) log_->line("ended in good order");
  watchdog_.rest();
  signals_.settle();
  if (outcome_.stopped() && outcome_.last.interrupted) throw AgreedExit{kRunAgain};
}

}  // namespace

void run_training(const TrainArguments& arguments, const World& world, StopSignals& signals, const TrainingObserver& observer) {
  TrainingRun(arguments, world, signals, observer)();
}

}  // namespace lockstep
