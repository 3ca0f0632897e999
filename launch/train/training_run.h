#pragma once
#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "cluster/host/cgroup.h"
#include "cluster/host/placement.h"
#include "cluster/status/status_board.h"
#include "cluster/trace/clock_offset.h"
#include "cluster/trace/trace.h"
#include "cluster/watchdog/crash_report.h"
#include "cluster/watchdog/rank_log.h"
#include "cluster/watchdog/signals.h"
#include "cluster/watchdog/watchdog.h"
#include "core/data/sampler.h"
#include "core/training/sequential.h"
#include "io/checkpoint/checkpoint.h"
#include "io/config/config.h"
#include "io/run/result.h"
#include "io/run/run_directory.h"
#include "io/run/time_report.h"
#include "launch/train/checkpoint_callback.h"
#include "launch/train/data_identity.h"

namespace lockstep {

/// What the command line of `lockstep train` says.
struct TrainArguments {
  std::string config, resume, run_dir, data, allreduce, exchange, progress, trace;
  std::vector<std::string> sets;
  std::int64_t epochs = 0, batch_size = 0;
  bool goes_on = false;  ///< --continue
  std::optional<std::uint64_t> seed;
  int threads = 0, verbose = 1;
  /// For whoever watches a run from inside (lockstep bench startup): called on every rank on the way; and callbacks of fit() behind its
  /// own.
  std::function<void()> directory_made = [] {}, coordinator_up = [] {};
  std::vector<Callback*> callbacks = {};
  bool reproducible = false;
  double timeout = 0;
};

/// What --resume names, and whether --run-dir branches off from it. Reads files: only for rank 0.
struct ResumeSource {
  explicit ResumeSource(const TrainArguments& arguments);
  /// The configuration to go on with: the run's, or a named checkpoint's own where the run branches off.
  std::filesystem::path config() const;

  std::string run_dir;     ///< empty: a checkpoint outside any run directory
  std::string checkpoint;  ///< empty: the newest one
  bool branches = false;   ///< the new run writes to --run-dir; what --resume names is only read
};

/// The configuration that --resume goes on with: with --continue that of --run-dir once it has trained. Looks at files: for rank 0.
std::filesystem::path resumed_config(const TrainArguments& arguments);

/// A training run from its configuration (or the run directory to resume) to result.json, on all ranks; the members in the order in which
/// they come to life. Collective.
class TrainingRun {
 public:
  TrainingRun(const TrainArguments& arguments, const World& world, StopSignals& signals);
  void operator()();

 private:
  void find_checkpoint();
  CheckpointInfo source_checkpoint(const ResumeSource& source);
  std::optional<CheckpointInfo> own_checkpoint(const std::string& directory, bool needed) const;
  void enter(const std::string& directory);
  void expect_epochs_left(bool branches) const;
  bool done_before();
  void run();
  void watch();
  void record_fault(const Diagnosis& diagnosis) const;
  void restore_config(const std::string& yaml) const;
  void compare_ranks();
  void open_data_sets();
  void make_model();
  void check_rows();
  void check_limits();
  void make_directory();
  void resume();
  CheckpointState constant_state() const;
  void check_same_batches(const CheckpointState& state) const;
  void check_same_epoch(const CheckpointState& state) const;
  void choose_learning_rate(const CheckpointState& state);
  std::map<std::string, std::string> bit_facts() const;
  void check_same_bits(const CheckpointState& state) const;
  void announce(int threads);
  RunInfo info(int threads);
  RunFacts facts() const;
  CoreEvidence core_evidence() const;
  void begin_trace();
  void train();
  void finish(const History& history, double seconds);
  Scores test_scores();
  std::string write_results(const RunResult& result);
  std::string write_result(RunResult result, const std::string& failures);
  bool result_is_kept(const std::filesystem::path& run_dir) const;
  bool is_lost();
  bool leads() const { return world_.rank() == 0; }
  std::string how_it_ended() const;
  std::string allreduce_name() const;
  std::string exchange_text() const;
  std::int64_t training_rows() const;
  std::unique_ptr<Sampler> sampler() const;

  const TrainArguments& arguments_;
  const World& world_;
  StopSignals& signals_;
  RunConfig config_;
  std::optional<RankLog> log_;
  std::optional<CrashReport> crash_report_;
  std::optional<Watchdog> watchdog_;
  std::optional<Hdf5Dataset> train_, validation_, test_;
  std::optional<DataIdentity> identity_;   // of these
  std::optional<RunDirectory> directory_;  // of rank 0; since watch() on other ranks, too, to see whether it is still there
  std::filesystem::path path_;
  std::optional<CheckpointInfo> from_;  // rank 0: the checkpoint to go on from
  bool resumes_ = false;                // there is one
  std::optional<Sequential> model_;
  StatusBoard board_;
  std::unique_ptr<Coordinator> coordinator_;
  std::vector<RankPlace> places_;
  std::optional<CpuQuota> quota_;
  Throttling throttling_;  // before training
  History before_;         // of a resumed run, and what it knows of its interrupted epoch
  EpochSums sums_;
  std::optional<HistoryCsv> csv_;                  // rank 0
  std::optional<CheckpointCallback> checkpoints_;  // rank 0
  FitState last_;
  std::int64_t last_steps_ = 0;                     // of all starts
  std::string lost_;                                // rank 0: why nothing can be written any more
  std::optional<std::int64_t> samples_before_ = 0;  // of the starts before this one
  std::optional<double> seconds_before_ = 0;
  std::optional<Trace> trace_;
  ClockOffset clock_;        // at the start
  std::int64_t memory_ = 0;  // bytes at the end of training
  double first_step_ = 0;    // seconds of the process when it was done
  bool stopped_ = false;
};

/// What result.json says of a run that was not stopped.
std::string all_epochs_done(std::int64_t epochs);

}  // namespace lockstep
