#include "io/data_digest.h"

#include <fmt/format.h>

#include <filesystem>
#include <fstream>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr std::size_t kBytes = 64U << 10U;

/// FNV-1a.
std::uint64_t hash(const std::string& bytes) {
  std::uint64_t value = 0xcbf29ce484222325U;
  for (const char byte : bytes) value = (value ^ static_cast<unsigned char>(byte)) * 0x100000001b3U;
  return value;
}

std::string file_digest(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  std::string start(kBytes, '\0');
  file.read(start.data(), static_cast<std::streamsize>(start.size()));
  if (file.bad() || file.gcount() == 0) throw Error("cannot read " + path.string());
  start.resize(static_cast<std::size_t>(file.gcount()));
  return fmt::format("{} ({} bytes, {:016x})", path.filename().string(), std::filesystem::file_size(path), hash(start));
}

}  // namespace

std::string data_digest(const Hdf5Dataset& data) {
  std::string text = fmt::format("{} rows of {} {}, truth of {}, in ", data.rows(), to_string(data.sample_shape(), true), data.element_type(), data.truth_width());
  for (const std::string& file : data.files()) text += (file == data.files().front() ? "" : ", ") + file_digest(file);
  return text;
}

}  // namespace lockstep
