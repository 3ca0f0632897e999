#pragma once
#include <cstdint>
#include <string>
#include <string_view>

#include "io/checkpoint.h"

// Names in RUN_DIR/checkpoints. Internal to io.
namespace lockstep {

inline constexpr std::string_view kPartialCheckpoint = ".partial-";  ///< in front of the name of one that is being written

std::string checkpoint_folder(const std::string& run_dir);
std::string checkpoint_name(std::int64_t step);  ///< "step-00012345"
/// Bytes of all files of a checkpoint, as far as they can be seen.
std::int64_t checkpoint_bytes(const std::string& path);

}  // namespace lockstep
