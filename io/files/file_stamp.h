#pragma once
#include <cstdint>
#include <string>

namespace lockstep {

/// Tells whether a file is still the same and has not been written to. Times in nanoseconds since 1970.
struct FileStamp {
  std::uint64_t inode = 0;
  std::int64_t bytes = 0, written = 0, changed = 0;  ///< size, mtime, ctime

  /// Of the file with this path, or of an open one; an Error names `path` if it cannot be looked at.
  static FileStamp of(const std::string& path);
  static FileStamp of(int descriptor, const std::string& path);

  /// An Error that names `path` unless `now` has the same size and time of writing. A rename or another owner, which show in `changed`, are
  /// no difference; nor is another inode: some file systems (FUSE, sshfs) number a file anew each time that it is opened.
  void expect_same(const FileStamp& now, const std::string& path) const;
};

}  // namespace lockstep
