#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "cluster/status/status.h"

// The checkpoints of a run among each other: how they are named, which there are, which is the newest whole one, which may go.
namespace lockstep {

inline constexpr std::string_view kPartialCheckpoint = ".partial-";  ///< in front of the name of one that is being written

std::string checkpoint_folder(const std::string& run_dir);
std::string checkpoint_name(std::int64_t step);         ///< "step-00012345"
std::int64_t checkpoint_step(const std::string& name);  ///< -1 if it is not the name of a checkpoint
/// Removes what killed writers left in RUN_DIR/checkpoints. Call it under the run's lock.
void remove_partial_checkpoints(const std::string& folder);
/// Bytes of all files of a checkpoint, as far as they can be seen.
std::int64_t checkpoint_bytes(const std::string& path);

/// Every step-* directory, oldest first, by name and state.json alone (nothing is verified). Empty if there are none.
std::vector<CheckpointInfo> list_checkpoints(const std::string& run_dir);

/// The run directory of the checkpoint with this path, RUN_DIR/checkpoints/step-00012345; empty if the path is of another form.
std::string run_dir_of(const std::string& path);

/// The newest checkpoint that is whole and healthy; where none is healthy, the newest whole one.
struct NewestCheckpoint {
  std::optional<CheckpointInfo> found;
  std::vector<std::string> skipped;  ///< why newer ones were passed over, one message each
};
NewestCheckpoint newest_checkpoint(const std::string& run_dir);

/// Which checkpoints stay: the newest ones, the best (the earliest of equals) and the last healthy one.
struct KeepCheckpoints {
  std::int64_t newest = 3;           ///< at least one
  std::string monitor = "val_loss";  ///< value of an epoch's logs that tells the best; a NaN is never best
  bool larger_is_better = false;     ///< of `monitor`
};

/// Removes the others. Returns how many it removed.
std::int64_t prune_checkpoints(const std::string& run_dir, const KeepCheckpoints& keep);

}  // namespace lockstep
