#include "io/files/file_stamp.h"

#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/stat.h>

#include <cerrno>
#include <cstring>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

std::int64_t nanoseconds(const timespec& time) { return std::int64_t{time.tv_sec} * kSecond + time.tv_nsec; }

FileStamp stamp_of(int result, const struct stat& found, const std::string& path) {
  if (result != 0) throw Error(path + ": cannot access it: " + std::strerror(errno));
  return {found.st_ino, found.st_size, nanoseconds(found.st_mtim), nanoseconds(found.st_ctim)};
}

std::string text_of(const FileStamp& stamp) {
  return fmt::format("{} bytes, written {:%Y-%m-%d %H:%M:%S}.{:06d}", stamp.bytes,
                     fmt::localtime(static_cast<std::time_t>(stamp.written / kSecond)), stamp.written % kSecond / 1000);
}

}  // namespace

FileStamp FileStamp::of(const std::string& path) {
  struct stat found {};
  return stamp_of(::stat(path.c_str(), &found), found, path);
}

FileStamp FileStamp::of(int descriptor, const std::string& path) {
  struct stat found {};
  return stamp_of(::fstat(descriptor, &found), found, path);
}

void FileStamp::expect_same(const FileStamp& now, const std::string& path) const {
  if (bytes == now.bytes && written == now.written) return;
  throw Error(
      fmt::format("{}: the file has changed since it was opened: it had {}, and now has {}. Rows from before and "
                  "after the change do not belong together; start again once nothing writes to the file",
                  path, text_of(*this), text_of(now)));
}

}  // namespace lockstep
