#include "launch/train/training_run.h"

#include <fmt/format.h>
#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "cluster/fingerprint.h"
#include "cluster/host/process_limits.h"
#include "cluster/host/process_usage.h"
#include "io/run/trace_file.h"
#include "io/run/versions.h"
#include "launch/train/callbacks.h"
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

Hdf5Dataset open_data(const DataConfig& data) { return {data.file, data.group, data.options}; }

/// Remembers the last state of fit(), for result.json.
class LastState final : public Callback {
 public:
  LastState(FitState& state, std::int64_t& steps, std::int64_t& samples, double& first_step, std::int64_t& memory)
      : state_(state), steps_(steps), samples_(samples), first_step_seconds_(first_step), memory_(memory) {}
  void on_train_begin(const FitState& state) override { first_step_ = state.global_step; }
  void on_train_batch_end(const FitState&) override {
    if (first_step_seconds_ == 0) first_step_seconds_ = process_seconds();
  }
  void on_epoch_end(const FitState& state, Logs&) override { samples_ += state.samples; }
  void on_train_end(const FitState& state, const Logs&) override {
    state_ = state;
    if (state.step < state.steps_per_epoch) samples_ += state.samples;
    steps_ = state.global_step;
    state_.global_step -= first_step_;
    memory_ = proportional_memory();  // while the buffers of training are there
  }

 private:
  FitState& state_;
  std::int64_t &steps_, &samples_;
  double& first_step_seconds_;
  std::int64_t& memory_;
  std::int64_t first_step_ = 0;
};

}  // namespace

TrainingRun::TrainingRun(const TrainArguments& arguments, const World& world, StopSignals& signals)
    : arguments_(arguments), world_(world), signals_(signals), config_(load_config(arguments, world)) {}

void TrainingRun::open_data_sets() {
  const At here(world_.activity(), Place::opening_data);
  world_.agree([&] {
    train_.emplace(open_data(config_.train));
    if (config_.validation) validation_.emplace(open_data(*config_.validation));
    if (config_.test) test_.emplace(open_data(*config_.test));
  });
}

/// All truth and weights, before a run directory is made: bad ones must not be told at the end of a long run. Collective.
void TrainingRun::check_rows() {
  const At here(world_.activity(), Place::opening_data);
  const std::int64_t rows = train_->rows(), trains = training_rows();
  if (trains == rows) {
    model_->check_rows(*train_, world_, config_.fit.class_weight);
  } else {
    if (trains > 0) model_->check_rows(RowSlice(*train_, {0, trains}), world_, config_.fit.class_weight);
    model_->check_rows(RowSlice(*train_, {trains, rows}), world_);
  }
  if (validation_) model_->check_rows(*validation_, world_);
  if (test_) model_->check_rows(*test_, world_);
  config_.fit.rows_checked = true;
}

void TrainingRun::make_model() {
  world_.agree([&] {
    model_.emplace(config_.make_model());
    model_->compile(config_.compile);
    model_->check(*train_);  // before a run directory is made
    if (validation_) model_->check(*validation_);
    if (test_) model_->check(*test_);
  });
  check_rows();
  model_->decide_dtype(config_.fit, world_);
  if (resumes_) return;  // the checkpoint has the statistics
  const RowSlice rows(*train_, {0, training_rows()});
  for (const std::size_t layer : config_.model.adapt) {
    if (layer > 1 || (layer == 1 && !std::holds_alternative<Input>(config_.model.layers[0]))) {
      throw AgreedError("'model." + std::to_string(layer) +
                            "' (Normalization): adapt works on the rows of the data set, so the layer must come first, after Input",
                        kUsage, 0, world_.hostname());
    }
    Normalization normalization = std::get<Normalization>(model_->layers()[layer]);  // a copy shares its statistics
    normalization.adapt(rows, world_);
  }
}

void TrainingRun::make_directory() {
  world_.agree([&] {
    if (!leads()) return;
    if (!directory_) {  // else it was there, and find_checkpoint has looked into it
      const std::optional<std::filesystem::path> wanted =
          arguments_.run_dir.empty() ? std::nullopt : std::optional<std::filesystem::path>(arguments_.run_dir);
      directory_.emplace(arguments_.goes_on ? RunDirectory::enter(*wanted) : RunDirectory::create(wanted, config_.name));
      directory_->lock();
      if (!arguments_.goes_on) directory_->expect_untrained();
    }
    if (config_.run_dir_mode || directory_->created()) {
      directory_->set_mode(config_.run_dir_mode.value_or(std::filesystem::perms::owner_all));
    }
    if (!resumes_) write_text_file(directory_->config(), config_.yaml);
  });
  path_ = world_.broadcast(leads() ? directory_->path().string() : "");
}

/// Rows that are trained on: those that validation_split leaves.
std::int64_t TrainingRun::training_rows() const {
  const double split = config_.validation ? 0 : config_.fit.validation_split;
  return static_cast<std::int64_t>(std::floor(static_cast<double>(train_->rows()) * (1.0 - split)));
}

std::unique_ptr<Sampler> TrainingRun::sampler() const {
  return std::make_unique<Sampler>(training_rows(), config_.fit.batch_size, config_.fit.shards, config_.seed, config_.fit.shuffle);
}

/// The file is tried before anything is trained: a wrong path must not be told at the end of a long run. Collective.
void TrainingRun::begin_trace() {
  if (arguments_.trace.empty()) return;
  world_.agree([&] {
    if (leads()) write_text_file(arguments_.trace, trace_json({}));
  });
  trace_.emplace(Trace::room(world_.size()));
  config_.fit.trace = &*trace_;
  clock_ = clock_offset(world_);
}

void TrainingRun::train() {
  BoardCallback publisher(board_, signals_);
  std::int64_t samples = 0;
  LastState last(last_, last_steps_, samples, first_step_, memory_);
  RankLogCallback logger(*log_);
  config_.fit.callbacks = {&*identity_, &publisher, &last, &logger};
  if (leads()) {
    csv_.emplace(directory_->history(), before_, [this] { directory_->expect_held(); });
    checkpoints_.emplace(config_, *directory_, board_, before_, constant_state(), *identity_);
    config_.fit.callbacks.insert(config_.fit.callbacks.end(), {&*csv_, &*checkpoints_});
  }
  config_.fit.callbacks.insert(config_.fit.callbacks.end(), arguments_.callbacks.begin(), arguments_.callbacks.end());
  if (validation_) config_.fit.validation_data = &*validation_;
  const auto start = std::chrono::steady_clock::now();
  History history = joined(before_, model_->fit(*train_, config_.fit, world_));
  last_.samples = samples;
  finish(history, std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
}

/// The log of this rank, and the watchdog's words in it. Collective.
void TrainingRun::watch() {
  log_.emplace(world_, path_);
  if (!leads()) directory_ = RunDirectory::locked_by_another(path_);
  crash_report_.emplace(*log_, world_.activity());
  if (leads() && !log_->elsewhere().empty()) fmt::print("logs           {}\n", log_->elsewhere());
  log_->line(fmt::format("rank {} of {} started on {}, pid {}", world_.rank(), world_.size(), world_.hostname(), getpid()));
  watchdog_->log_to(&*log_);
  watchdog_->on_verdict([this](const Diagnosis& diagnosis) { record_fault(diagnosis); });
}

/// RUN_DIR/fault.json: what the job has ended for, for `lockstep launch`. From the watchdog's thread.
void TrainingRun::record_fault(const Diagnosis& diagnosis) const {
  const nlohmann::json fault = {{"rank", diagnosis.rank}, {"host", diagnosis.host}, {"step", diagnosis.step}, {"message", diagnosis.text}};
  try {
    if (!directory_) return;  // this host does not show it
    directory_->expect_held();
    write_text_file(path_ / "fault.json", fault.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
    if (leads()) directory_->log("failed: [rank " + std::to_string(diagnosis.rank) + " on " + diagnosis.host + "] " + diagnosis.text);
  } catch (const std::exception& error) {
    log_->line(std::string("fault.json: ") + error.what());
  }
}

void TrainingRun::run() {
  find_checkpoint();
  if (done_before()) return;
  open_data_sets();
  compare_ranks();
  make_model();
  const int threads = threads_for_rank(world_, config_.fit.threads);
  config_.fit.threads = threads;
  check_limits();
  begin_trace();
  make_directory();
  watch();
  resume();
  announce(threads);
  board_.start(info(threads));
  arguments_.directory_made();
  if (config_.coordinator) {
    config_.coordinator_options.run_dir = path_;
    config_.coordinator_options.watchdog = &*watchdog_;
    if (leads()) config_.coordinator_options.before_write = [this] { directory_->expect_held(); };
    coordinator_ = std::make_unique<Coordinator>(world_, board_, config_.coordinator_options);
    if (leads()) fmt::print("coordinator    {} (lockstep watch {})\n", coordinator_->address(), path_.string());
    std::fflush(stdout);
    if (const std::string warning = coordinator_->warning(); !warning.empty()) {
      std::fprintf(stderr, "warning: %s\n", warning.c_str());
      directory_->log("warning: " + warning);
    }
  }
  arguments_.coordinator_up();
  std::string config_before;
  try {
    world_.agree([&] {  // only now: a configuration that a resume has refused must not stay
      if (!leads() || !resumes_) return;
      directory_->expect_held();
      if (std::filesystem::exists(directory_->config())) config_before = read_config_file(directory_->config());
      write_text_file(directory_->config(), config_.yaml);
    });
    train();
  } catch (const std::exception& error) {
    const auto* const refusal = dynamic_cast<const Error*>(&error);  // of large data, which are known only now
    if (!config_before.empty() && !identity_->compared() && refusal != nullptr && refusal->exit_code() == kUsage) {
      restore_config(config_before);
    }
    board_.finish(Phase::failed, error.what());
    if (leads()) directory_->log(std::string("failed: ") + error.what());
    throw;
  }
}

/// Limits that would stop the run later, and not with a message of ours. Collective.
void TrainingRun::check_limits() {
  world_.agree([&] {
    check_rank_limits(world_, config_.fit.threads, config_.coordinator);
    // Where the exchange surely puts the model into memory that ranks share. Then one copy is the least; mostly every rank has its own.
    const FitOptions& fit = config_.fit;
    const bool factors = fit.exchange == ExchangeKind::factors || fit.reproducible;
    const bool open = fit.exchange == ExchangeKind::automatic && fit.allreduce == AllreduceAlgorithm::automatic && world_.hosts() == 1;
    if (world_.local_size() == 1 || !(factors || open || fit.allreduce == AllreduceAlgorithm::shared)) return;
    double bytes = 0;
    for (const WeightView& weight : model_->weights()) bytes += static_cast<double>(weight.values.size() * sizeof(float));
    const std::string what = fmt::format("a model on {} ranks of a host", world_.local_size());
    check_shared_memory(bytes, factors ? what : what + " (--allreduce ring goes without)");
  });
}

void TrainingRun::restore_config(const std::string& yaml) const {
  try {
    directory_->expect_held();
    write_text_file(directory_->config(), yaml);
  } catch (const std::exception& error) {
    directory_->log(std::string("warning: ") + error.what());
  }
}

/// What a file system or an installation that is not the same on all hosts would silently spoil. Collective.
void TrainingRun::compare_ranks() {
  agree_on(world_, "Lockstep's version", all_versions().at("lockstep"));
  identity_.emplace(world_);
  identity_->add("training", *train_);
  if (validation_) identity_->add("validation", *validation_);
  if (test_) identity_->add("test", *test_);
}

void TrainingRun::operator()() {
  watchdog_.emplace(world_, Watchdog::Options{config_.timeout, &signals_});
  try {
    run();
  } catch (const AgreedError& error) {
    if (log_) log_->line(std::string("error that all ranks know: ") + error.what());
    if (log_ && leads()) record_fault({error.failing_rank(), error.failing_host(), world_.activity().cell().step, error.what()});
    watchdog_->rest();
    throw;
  } catch (const std::exception& error) {
    if (log_) record_fault({world_.rank(), world_.hostname(), world_.activity().cell().step, error.what()});
    watchdog_->leaving(error.what());
    throw;
  }
  if (log_) log_->line("ended in good order");
  watchdog_->rest();
  signals_.settle();
  if (stopped_ && last_.interrupted) throw AgreedExit{kRunAgain};
}

}  // namespace lockstep
