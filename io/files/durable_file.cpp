#include "io/files/durable_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstring>
#include <filesystem>

#include "cluster/descriptor.h"
#include "cluster/error.h"

namespace lockstep {
namespace {

/// An open file or directory whose failures are SystemErrors that name it.
class OpenFile {
 public:
  OpenFile(const std::string& path, int flags) : path_(path), file_(::open(path.c_str(), flags | O_CLOEXEC, 0666)) {
    check(file_.is_open(), "cannot open it");
  }
  void write(std::string_view bytes) const {
    while (!bytes.empty()) {
      const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
      if (count < 0 && errno == EINTR) continue;
      check(count >= 0, "cannot write it");
      bytes.remove_prefix(static_cast<std::size_t>(count));
    }
  }
  void sync() const { check(fsync(file_.get()) == 0, "cannot sync it to disk"); }
  void close() { check(::close(file_.release()) == 0, "cannot close it"); }

 private:
  void check(bool right, const char* what) const {
    if (!right) throw SystemError(path_, what, errno);
  }
  std::string path_;
  Descriptor file_;
};

}  // namespace

SystemError::SystemError(const std::string& path, const std::string& what, int reason)
    : Error(path + ": " + what + ": " + std::strerror(reason)), reason_(reason) {}

SystemError::SystemError(const SystemError& error, const std::string& more) : Error(error.what() + more), reason_(error.reason_) {}

bool SystemError::full() const { return reason_ == ENOSPC || reason_ == EDQUOT || reason_ == EFBIG; }

bool SystemError::transient() const {
  const std::array lasting{EACCES, EPERM, EROFS, ENOTDIR, EISDIR, ELOOP, ENAMETOOLONG};
  return !full() && std::find(lasting.begin(), lasting.end(), reason_) == lasting.end();
}

bool path_exists(const std::string& path) {
  std::error_code reason;
  const std::filesystem::file_status status = std::filesystem::status(path, reason);
  if (status.type() == std::filesystem::file_type::none) throw SystemError(path, "cannot access it", reason.value());
  return status.type() != std::filesystem::file_type::not_found;
}

std::vector<std::string> directory_names(const std::string& path) {
  std::vector<std::string> names;
  std::error_code reason;
  for (std::filesystem::directory_iterator entry(path, reason), end; !reason && entry != end; entry.increment(reason)) {
    names.push_back(entry->path().filename().string());
  }
  if (reason) throw SystemError(path, "cannot list it", reason.value());
  return names;
}

void write_synced(const std::string& path, std::string_view bytes) {
  OpenFile file(path, O_WRONLY | O_CREAT | O_TRUNC);
  file.write(bytes);
  file.sync();
  file.close();
}

void sync_directory(const std::string& path) { OpenFile(path, O_RDONLY | O_DIRECTORY).sync(); }

void replace_file(const std::string& path, std::string_view bytes) {
  const std::string partial = path + ".partial-" + std::to_string(getpid());
  try {
    write_synced(partial, bytes);
    if (std::rename(partial.c_str(), path.c_str()) != 0) throw SystemError(path, "cannot take its final name", errno);
  } catch (...) {
    ::unlink(partial.c_str());
    throw;
  }
  const std::string parent = std::filesystem::path(path).parent_path().string();
  sync_directory(parent.empty() ? "." : parent);
}

}  // namespace lockstep
