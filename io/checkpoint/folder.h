#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "io/checkpoint/checkpoint.h"

// Names in RUN_DIR/checkpoints. Internal to io.
namespace lockstep {

inline constexpr std::string_view kPartialCheckpoint = ".partial-";  ///< in front of the name of one that is being written

std::string checkpoint_folder(const std::string& run_dir);
std::string checkpoint_name(std::int64_t step);         ///< "step-00012345"
std::int64_t checkpoint_step(const std::string& name);  ///< -1 if it is not the name of a checkpoint
/// Removes what killed writers left in RUN_DIR/checkpoints. Call it under the run's lock.
void remove_partial_checkpoints(const std::string& folder);
/// Bytes of all files of a checkpoint, as far as they can be seen.
std::int64_t checkpoint_bytes(const std::string& path);

}  // namespace lockstep
