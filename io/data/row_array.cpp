#include "io/data/row_array.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <optional>

#include "cluster/descriptor.h"
#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr std::int64_t kPieceBytes = std::int64_t{64} << 20;  // of one call when many rows are read
constexpr std::int64_t kBlockBytes = std::int64_t{1} << 20;   // of rows without chunks that go through HDF5

bool plain(const ArrayInfo& info) { return info.native_order && info.file_offset >= 0; }

/// Rows that are decoded together: those of a chunk.
std::int64_t block_rows(const ArrayInfo& info) {
  if (!info.chunk.empty()) return std::max<std::int64_t>(1, info.chunk.front());
  return std::max<std::int64_t>(1, kBlockBytes / std::max<std::int64_t>(1, info.row_bytes()));
}

}  // namespace

bool RowArray::direct() const {
  return std::all_of(parts.begin(), parts.end(), [](const Part& part) { return plain(part.info); });
}

std::string RowArray::where(std::int64_t row) const {
  const auto behind = std::find_if(parts.begin() + 1, parts.end(), [row](const Part& part) { return part.first > row; });
  const Part& part = *(behind - 1);
  return part.path + ": data set '" + part.info.name + "', row " + std::to_string(row - part.first);
}

/// A part's open file: a descriptor for pread, or HDF5's file. Not both: data of many files need one for each.
struct RowFile::Open {
  bool is_open() const { return descriptor.is_open() || hdf5; }
  FileStamp stamp(const std::string& path) const { return FileStamp::of(hdf5 ? hdf5->descriptor() : descriptor.get(), path); }
  void close() {
    descriptor.reset();
    hdf5.reset();
  }
  Descriptor descriptor;
  std::optional<Hdf5File> hdf5;
};

RowFile::RowFile(const RowArray& array) : array_(array), open_(array.parts.size()) {}
RowFile::~RowFile() = default;

RowFile::Open& RowFile::open(std::size_t part) {
  Open& opened = open_[part];
  const RowArray::Part& where = array_.parts[part];
  if (opened.is_open()) return opened;
  if (plain(where.info)) {
    opened.descriptor = Descriptor(::open(where.path.c_str(), O_RDONLY | O_CLOEXEC));
    if (!opened.descriptor.is_open()) throw Error(where.path + ": cannot open it: " + std::strerror(errno));
  } else {
    try {
      opened.hdf5 = Hdf5File::open(where.path);
    } catch (const Error&) {
      where.stamp.expect_same(FileStamp::of(where.path), where.path);  // else that is the reason
      throw;
    }
  }
  expect_unchanged(part);
  return opened;
}

void RowFile::expect_unchanged(std::size_t part) const {
  const std::string& path = array_.parts[part].path;
  if (open_[part].is_open()) array_.parts[part].stamp.expect_same(open_[part].stamp(path), path);
}

void RowFile::expect_unchanged() const {
  for (std::size_t p = 0; p < open_.size(); ++p) expect_unchanged(p);
}

/// What was read from them is known to belong together.
void RowFile::close_others(std::size_t part) {
  for (std::size_t p = 0; p < open_.size(); ++p) {
    if (p == part || !open_[p].is_open()) continue;
    expect_unchanged(p);
    open_[p].close();
  }
}

void RowFile::read_part(std::size_t part, std::int64_t first, std::int64_t last, std::byte* out) {
  try {
    try_to_read(part, first, last, out);
    const RowArray::Part& where = array_.parts[part];
    const std::int64_t below = where.arrangement.subtract_first_label(array_.type, last - first, out);
    if (below >= 0) {
      throw Error(fmt::format("{}: the label is less than data.first_label, {}", array_.where(where.first + first + below),
                              where.arrangement.first_label),
                  kUsage);
    }
    const std::int64_t nameless = where.arrangement.apply(array_.type, last - first, out);
    if (nameless >= 0) {
      const std::vector<std::int64_t>& classes = where.arrangement.classes;
      const auto named = std::count_if(classes.begin(), classes.end(), [](std::int64_t index) { return index >= 0; });
      throw Error(
          array_.where(where.first + first + nameless) + ": it is no index of one of the file's " + std::to_string(named) + " class_names",
          kUsage);
    }
  } catch (const Error&) {
    expect_unchanged();  // a file that has changed is the better message
    throw;
  }
}

void RowFile::try_to_read(std::size_t part, std::int64_t first, std::int64_t last, std::byte* out) {
  const RowArray::Part& where = array_.parts[part];
  const std::int64_t bytes = array_.row_bytes();
  Open& opened = open(part);
  if (!plain(where.info)) {
    if (!where.sources.empty()) return read_sources(*opened.hdf5, where.sources, array_.type, first, last, out);
    opened.hdf5->read_raw(where.info.name, first, last, {out, static_cast<std::size_t>((last - first) * bytes)});
    return;
  }
  std::int64_t offset = where.info.file_offset + first * bytes;
  const std::int64_t end = where.info.file_offset + last * bytes;
  while (offset < end) {
    const ssize_t count = ::pread(opened.descriptor.get(), out, static_cast<std::size_t>(std::min(end - offset, kPieceBytes)), offset);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      throw Error(
          where.path + ": data set '" + where.info.name + "': cannot read rows " + std::to_string(first) + " to " + std::to_string(last) +
          ": expected bytes up to " + std::to_string(end) + ", " +
          (count == 0 ? "the file ends at " + std::to_string(offset) + " (cut short? copy it again)" : std::string(std::strerror(errno))));
    }
    out += count;
    offset += count;
  }
}

void RowFile::read(std::int64_t first, std::int64_t last, std::byte* out) {
  for (std::size_t p = 0; p < array_.parts.size(); ++p) {
    const RowArray::Part& part = array_.parts[p];
    const std::int64_t lo = std::max(first - part.first, std::int64_t{0}), hi = std::min(last - part.first, part.info.rows());
    const std::int64_t block = block_rows(part.info);
    const std::int64_t piece = std::max<std::int64_t>(1, kPieceBytes / std::max<std::int64_t>(1, block * array_.row_bytes())) * block;
    if (lo < hi) close_others(p);
    for (std::int64_t at = lo; at < hi;) {
      const std::int64_t end = std::min(hi, (at / piece + 1) * piece);  // pieces end where blocks do, so that none is decoded twice
      read_part(p, at, end, out);
      out += (end - at) * array_.row_bytes();
      at = end;
    }
  }
}

void RowFile::gather_blocks(std::size_t part, std::span<const std::int64_t> rows, std::byte* out) {
  const RowArray::Part& where = array_.parts[part];
  const std::int64_t block = block_rows(where.info), bytes = array_.row_bytes();
  for (std::size_t i = 0; i < rows.size();) {
    const std::int64_t lo = rows[i] - where.first;
    std::size_t end = i;
    while (end < rows.size() && (rows[end] - where.first) / block == lo / block) ++end;
    const std::int64_t hi = rows[end - 1] - where.first + 1;
    scratch_.resize(static_cast<std::size_t>((hi - lo) * bytes));
    read_part(part, lo, hi, scratch_.data());
    for (; i < end; ++i, out += bytes)
      std::memcpy(out, scratch_.data() + (rows[i] - where.first - lo) * bytes, static_cast<std::size_t>(bytes));
  }
}

void RowFile::gather(std::span<const std::int64_t> rows, std::byte* out) {
  std::size_t i = 0;
  for (std::size_t p = 0; p < array_.parts.size() && i < rows.size(); ++p) {
    const RowArray::Part& part = array_.parts[p];
    const std::size_t end =
        static_cast<std::size_t>(std::lower_bound(rows.begin(), rows.end(), part.first + part.info.rows()) - rows.begin());
    if (!plain(part.info)) {
      gather_blocks(p, rows.subspan(i, end - i), out);
      out += static_cast<std::int64_t>(end - i) * array_.row_bytes();
      i = end;
    }
    while (i < end) {  // neighbours in one call
      std::size_t next = i + 1;
      while (next < end && rows[next] == rows[next - 1] + 1) ++next;
      read_part(p, rows[i] - part.first, rows[next - 1] - part.first + 1, out);
      out += static_cast<std::int64_t>(next - i) * array_.row_bytes();
      i = next;
    }
  }
}

}  // namespace lockstep
