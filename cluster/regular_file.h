#pragma once
#include <string>

namespace lockstep {

/// An Error (kUsage) if the path names anything but a regular file: opening a FIFO waits for a writer, and opening a device may do
/// anything. A path that does not exist is no error here; opening it reports that.
void expect_regular_file(const std::string& path);

/// The same for input that is read once from beginning to end. It may also be a pipe of this process, as in `command <(other)` and
/// `other | command /dev/stdin`: opening that does not wait.
void expect_file_or_pipe(const std::string& path);

}  // namespace lockstep
