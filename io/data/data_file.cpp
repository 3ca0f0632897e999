#include "io/data/data_file.h"

#include <fcntl.h>
#include <hdf5.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "cluster/error.h"
#include "core/math/utf8.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/handle.h"
#include "io/import/csv/encoding.h"
#include "io/import/csv/recipe.h"

namespace lockstep {
namespace {

constexpr std::size_t kNamesInAttribute = 4000;  // of 16 bytes each; an attribute takes 64 KiB

/// A list that one attribute cannot hold is written as name0, name1, ..., as Keras does.
void write_list(Hdf5File& file, const std::string& name, const std::vector<std::string>& values) {
  if (values.empty()) return;
  if (values.size() <= kNamesInAttribute) return write_strings_attribute(file, "/", name, values);
  for (std::size_t first = 0, part = 0; first < values.size(); first += kNamesInAttribute, ++part) {
    const std::span<const std::string> rest = std::span(values).subspan(first);
    const auto some = rest.first(std::min(rest.size(), kNamesInAttribute));
    write_strings_attribute(file, "/", name + std::to_string(part), {some.begin(), some.end()});
  }
}

/// As UTF-8: models keep names in JSON.
std::vector<std::string> read_list(const Hdf5File& file, const std::string& name) {
  std::vector<std::string> values;
  if (has_attribute(file, "/", name)) values = read_strings_attribute(file, "/", name);
  for (std::size_t part = 0; values.empty() || part > 0; ++part) {
    if (!has_attribute(file, "/", name + std::to_string(part))) break;
    const std::vector<std::string> next = read_strings_attribute(file, "/", name + std::to_string(part));
    values.insert(values.end(), next.begin(), next.end());
  }
  for (std::string& value : values) {
    if (not_utf8(value)) value = to_utf8(std::move(value), TextEncoding::latin1, file.path());
  }
  return values;
}

}  // namespace

DataNames read_names(const Hdf5File& file) {
  const auto list = [&](const char* name) { return read_list(file, name); };
  const auto text = [&](const char* name) { return has_attribute(file, "/", name) ? read_string_attribute(file, "/", name) : ""; };
  DataNames names{list("class_names"), list("feature_names"), list("target_names"), text("description"), file.path(), ""};
  names.reading = text(kRecipeAttribute);
  return names;
}

void write_names(Hdf5File& file, const DataNames& names) {
  write_list(file, "class_names", names.class_names);
  write_list(file, "feature_names", names.feature_names);
  write_list(file, "target_names", names.target_names);
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
  if (!std::filesystem::exists(path_, ignored)) return;
  if (!force_) throw Error(path_ + " exists already; --force replaces it", kUsage);
  if (std::filesystem::is_regular_file(path_, ignored) && std::filesystem::file_size(path_, ignored) == 0) return;
  Hdf5Silence silence(path_);
  if (H5Fis_hdf5(path_.c_str()) <= 0)
    throw Error(path_ + " is no HDF5 file, and is not replaced: the last file of the command is written", kUsage);
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
