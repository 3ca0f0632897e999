#include "cluster/regular_file.h"

#include <sys/stat.h>

#include "cluster/error.h"

namespace lockstep {

void expect_regular_file(const std::string& path) {
  struct stat found {};
  if (stat(path.c_str(), &found) != 0 || S_ISREG(found.st_mode)) return;
  const char* const what = S_ISDIR(found.st_mode)    ? "directory"
                           : S_ISFIFO(found.st_mode) ? "FIFO"
                           : S_ISSOCK(found.st_mode) ? "socket"
                                                     : "device";
  throw Error(path + ": is a " + what + "; expected a regular file", kUsage);
}

}  // namespace lockstep
