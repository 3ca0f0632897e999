#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>

#include "cluster/world.h"
#include "core/training/sequential.h"
#include "io/checkpoint/checkpoint.h"
#include "io/config/config.h"
#include "io/run/run_directory.h"
#include "launch/train/arguments.h"
#include "launch/train/data_identity.h"
#include "launch/train/plan.h"

namespace lockstep {

/// Where --resume or --continue goes on.
struct ResumePoint {
  std::optional<RunDirectory> directory;     ///< rank 0: the run's own directory, locked; empty where a new one is to be made
  std::optional<CheckpointInfo> checkpoint;  ///< rank 0
  bool found = false;                        ///< there is a checkpoint; on all ranks
  std::string model;                         ///< its config.json; on all ranks
  bool done = false;                         ///< of --continue: all epochs were done before and everything of them is on disk; on all ranks
};

/// The configuration that --resume goes on with: with --continue that of --run-dir once it has trained. Looks at files: for rank 0.
std::filesystem::path resumed_config(const TrainArguments& arguments);

/// Rank 0 looks for the checkpoint to go on from; with --continue there may be none. A run that has done its epochs is left as it is: an
/// AgreedError (kUsage), with --continue `done`. Collective.
ResumePoint find_resume_point(const TrainArguments& arguments, const RunConfig& config, const World& world);

/// What result.json says of a run that was not stopped.
std::string all_epochs_done(std::int64_t epochs);

/// What the earlier starts of a run have done.
struct EarlierStarts {
  History history;
  EpochSums sums;                           ///< of the epoch in which the last start ended
  std::optional<std::int64_t> samples = 0;  ///< rows of all ranks; empty where a checkpoint does not tell
  std::optional<double> seconds = 0;
};

/// What every checkpoint of a run says alike.
CheckpointState constant_state(const RunConfig& config, const RunPlan& plan, const EarlierStarts& before);

/// Rank 0 reads the checkpoint of a point that was found; fit() hands its weights to all ranks. Sets where config.fit begins, except for
/// initial_sums, and tells `data` what to compare with. `path`: the directory of the run that goes on. A checkpoint that does not fit the
/// configuration is an AgreedError (kUsage). Collective.
EarlierStarts load_resume_point(const ResumePoint& point, const TrainArguments& arguments, RunConfig& config, const RunPlan& plan,
                                Sequential& model, DataIdentity& data, const std::filesystem::path& path, const World& world);

}  // namespace lockstep
