#pragma once
#include <string>

namespace lockstep {

/// An Error (kUsage) if something else than a file stands under this path: opening a FIFO waits for a writer, and opening a device may do anything.
/// Nothing under the path is no error: the open that follows tells.
void expect_regular_file(const std::string& path);

}  // namespace lockstep
