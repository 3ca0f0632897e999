#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "cluster/error.h"

// Files that are on disk, whole, when the call returns. Errors name the path and the system's reason.
namespace lockstep {

/// An error of the operating system about a path: "PATH: what: reason".
class SystemError : public Error {
 public:
  SystemError(const std::string& path, const std::string& what, int reason);
  SystemError(const SystemError& error, const std::string& more);  ///< the same, and what is to be added
  int reason() const { return reason_; }                           ///< errno
  /// No room: a full disk, a quota, a file that may not grow.
  bool full() const;
  /// May be gone at the next try: not a lack of room or of permission, nor a path that cannot be.
  bool transient() const;

 private:
  int reason_;
};

/// Whether there is anything under this path. A SystemError where that cannot be told (permission, a stale handle).
bool path_exists(const std::string& path);

/// Names of all that is in a directory. A SystemError where it cannot be listed to its end.
std::vector<std::string> directory_names(const std::string& path);

/// Creates (or empties) the file, writes the bytes and syncs them to disk. The name itself is durable after sync_directory.
void write_synced(const std::string& path, std::string_view bytes);
/// Makes names created in, renamed into and removed from a directory durable.
void sync_directory(const std::string& path);
/// Puts the bytes under `path` in one instant: written beside it (PATH.partial-PID), synced, renamed. On an error the old file stays.
void replace_file(const std::string& path, std::string_view bytes);

}  // namespace lockstep
