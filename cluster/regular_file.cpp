#include "cluster/regular_file.h"

#include <sys/stat.h>

#include <filesystem>

#include "cluster/error.h"

namespace lockstep {
namespace {

/// Whether it leads to an entry of /proc/PID/fd that is a pipe without a name: opening a FIFO by its name could wait, even there.
bool is_open_pipe(std::filesystem::path path) {
  constexpr int kLinks = 40;
  std::error_code none;
  for (int i = 0; i < kLinks; ++i) {
    const std::filesystem::path target = std::filesystem::read_symlink(path, none);
    if (none) return false;
    if (target.string().starts_with("pipe:[")) return std::filesystem::canonical(path.parent_path(), none).string().starts_with("/proc/");
    path = path.parent_path() / target;
  }
  return false;
}

}  // namespace

void expect_regular_file(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0 || S_ISREG(found.st_mode)) return;
  const char* const what = S_ISDIR(found.st_mode)    ? "directory"
                           : S_ISFIFO(found.st_mode) ? "FIFO"
                           : S_ISSOCK(found.st_mode) ? "socket"
                                                     : "device";
  throw Error(path + ": is a " + what + "; expected a regular file", kUsage);
}

void expect_file_or_pipe(const std::string& path) {
  if (!is_open_pipe(path)) expect_regular_file(path);
}

}  // namespace lockstep
