#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// What a run is doing now. `finished` and `failed` are final.
enum class Phase { starting, training, validating, checkpointing, finished, failed };

/// "starting", "training", ...
std::string phase_name(Phase phase);
inline bool is_final(Phase phase) { return phase == Phase::finished || phase == Phase::failed; }

/// What is fixed before the first step.
struct RunInfo {
  std::string name;
  std::string run_dir;
  std::string model;  ///< one line, e.g. "Sequential: 5 layers, 266,610 parameters"
  std::int64_t epochs = 0;
  std::int64_t steps_per_epoch = 0;
  std::int64_t batch_size = 0;       ///< global: rows of all ranks in one step
  std::vector<std::string> metrics;  ///< names of the values given to StatusBoard::metrics, in that order: "loss", "accuracy", ...
  int ranks = 1;
  int hosts = 1;
  int threads = 1;  ///< OpenMP threads of one rank
  std::string allreduce;
  std::map<std::string, std::string> versions;  ///< "lockstep" -> "0.1.0", "oneDNN" -> ...
};

/// How far the training is.
struct Progress {
  std::int64_t epoch = 0;          ///< 1-based, as people count: the epoch now running or last run; 0 before the first
  std::int64_t step_in_epoch = 0;  ///< steps of that epoch that are done
  std::int64_t global_step = 0;    ///< steps done since the first epoch, those before a resume included
  std::int64_t samples = 0;        ///< rows of all ranks trained on since this process started
};

/// Seconds since training started, by what the training thread did. `other` is everything the first three leave.
struct TimeShares {
  double compute = 0;
  double communication = 0;
  double input = 0;
  double other = 0;
};

using NamedValues = std::vector<std::pair<std::string, double>>;

/// One line of the history, as Keras' History has it.
struct EpochRecord {
  std::int64_t epoch = 0;  ///< 1-based
  double seconds = 0;      ///< wall time of the epoch, validation and checkpoint included
  NamedValues values;      ///< "loss", "accuracy", "val_loss", ...
};

/// A checkpoint that is complete on disk.
struct CheckpointInfo {
  std::string path;
  std::int64_t epoch = 0;  ///< 1-based epoch it was taken in
  std::int64_t step = 0;   ///< global step after which it was taken
  double time = 0;         ///< seconds since 1970 (UTC) when it was complete
  std::int64_t bytes = 0;
};

/// One rank as its last heartbeat told it.
struct RankStatus {
  int rank = 0;
  std::string host;
  std::int64_t pid = 0;
  std::int64_t epoch = 0;
  std::int64_t step = 0;  ///< global step
  Phase phase = Phase::starting;
  std::int64_t rss_bytes = 0;  ///< resident memory of the process
  double time = 0;             ///< seconds since 1970 by the rank's own clock when it sent the heartbeat
  std::optional<double> age;   ///< seconds since the heartbeat arrived, by the coordinator's clock; empty: none has arrived yet
};

/// Everything a reader sees of a run at one instant.
struct Status {
  RunInfo run;
  Phase phase = Phase::starting;
  std::string reason;        ///< why it ended; empty while it runs
  std::string stop_request;  ///< message of the stop request that is pending or was obeyed; empty if there was none
  Progress progress;
  NamedValues metrics;  ///< running values of the current epoch; NaN before the first step
  TimeShares times;
  double started = 0;                        ///< seconds since 1970 (UTC)
  double elapsed = 0;                        ///< seconds
  std::optional<double> samples_per_second;  ///< over the last ten seconds of training; rows of all ranks
  std::optional<double> steps_per_second;
  std::optional<double> epoch_eta;  ///< seconds until the last step of this epoch
  std::optional<double> run_eta;    ///< seconds until the last epoch is over, validation included once one has been seen
  std::int64_t checkpoints = 0;     ///< how many were written
  std::vector<RankStatus> ranks;    ///< in order of rank; filled in by the coordinator
};

}  // namespace lockstep
