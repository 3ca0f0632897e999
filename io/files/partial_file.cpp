#include "io/files/partial_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <filesystem>

#include "io/files/durable_file.h"

namespace lockstep {

PartialFile::PartialFile(std::string path)
    : path_(std::move(path)),
      partial_(path_ + ".partial-" + std::to_string(getpid())),
      file_(::open(partial_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666)) {
  if (!file_.is_open()) throw SystemError(path_, "cannot make it", errno);
}

PartialFile::~PartialFile() { ::unlink(partial_.c_str()); }

void PartialFile::write(std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t count = ::write(file_.get(), bytes.data(), bytes.size());
    if (count < 0 && errno == EINTR) continue;
    if (count < 0) throw SystemError(path_, "cannot write it", errno);
    bytes.remove_prefix(static_cast<std::size_t>(count));
  }
}

void PartialFile::commit() {
  if (fsync(file_.get()) != 0) throw SystemError(path_, "cannot sync it to disk", errno);
  if (::close(file_.release()) != 0) throw SystemError(path_, "cannot close it", errno);
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) throw SystemError(path_, "cannot take its final name", errno);
  const std::string parent = std::filesystem::path(path_).parent_path().string();
  sync_directory(parent.empty() ? "." : parent);
}

}  // namespace lockstep
