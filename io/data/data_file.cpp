#include "io/data/data_file.h"

#include <fcntl.h>
#include <hdf5.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <utility>

#include "cluster/error.h"
#include "io/hdf5/attributes.h"

namespace lockstep {

DataNames read_names(const Hdf5File& file) {
  const auto list = [&](const char* name) {
    return has_attribute(file, "/", name) ? read_strings_attribute(file, "/", name) : std::vector<std::string>{};
  };
  DataNames names{list("class_names"), list("feature_names"), list("target_names"), "", file.path()};
  if (has_attribute(file, "/", "description")) names.description = read_string_attribute(file, "/", "description");
  return names;
}

void write_names(Hdf5File& file, const DataNames& names) {
  if (!names.class_names.empty()) write_strings_attribute(file, "/", "class_names", names.class_names);
  if (!names.feature_names.empty()) write_strings_attribute(file, "/", "feature_names", names.feature_names);
  if (!names.target_names.empty()) write_strings_attribute(file, "/", "target_names", names.target_names);
  if (!names.description.empty()) write_string_attribute(file, "/", "description", names.description);
}

void leave_files_at_exit() { H5dont_atexit(); }

DataFileWriter::DataFileWriter(std::string path, bool force)
    : path_(std::move(path)), partial_(path_ + ".partial-" + std::to_string(getpid())), force_(force) {
  refuse_existing();
  const std::filesystem::path parent = std::filesystem::path(path_).parent_path();
  if (std::error_code error;
      !parent.empty() && !std::filesystem::is_directory(parent) && !std::filesystem::create_directories(parent, error)) {
    throw Error(path_ + ": cannot make the directory '" + parent.string() + "': " + error.message());
  }
  file_ = Hdf5File::create(partial_);
}

DataFileWriter::~DataFileWriter() {
  file_.reset();
  unlink(partial_.c_str());
}

void DataFileWriter::refuse_existing() const {
  std::error_code ignored;
  if (!force_ && std::filesystem::exists(path_, ignored)) throw Error(path_ + " exists already; --force replaces it", kUsage);
}

void DataFileWriter::commit() {
  file_->close();
  const int descriptor = ::open(partial_.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = descriptor >= 0 && fsync(descriptor) == 0;
  const int reason = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (!synced) throw Error(path_ + ": cannot write it to disk: " + std::strerror(reason));
  refuse_existing();
  if (std::rename(partial_.c_str(), path_.c_str()) != 0) throw Error(path_ + ": cannot take its final name: " + std::strerror(errno));
}

}  // namespace lockstep
