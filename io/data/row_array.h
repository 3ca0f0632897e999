#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/data/arrangement.h"
#include "io/data/sources/row_source.h"
#include "io/files/file_stamp.h"
#include "io/hdf5/file.h"

namespace lockstep {

/// One array whose rows lie in one or several HDF5 files, one after the other. A description, no open file.
struct RowArray {
  struct Part {
    std::string path;
    ArrayInfo info;
    std::int64_t first = 0;        ///< row of the whole that is row 0 here
    FileStamp stamp = {};          ///< of the file when it was described
    Arrangement arrangement = {};  ///< of its rows, so that all parts have columns and classes alike
    /// What rows are made of where they are not the elements of one data set as they lie there; `info` describes the result then.
    std::vector<RowSource> sources = {};
  };
  std::vector<Part> parts;
  ElementType type = ElementType::other;
  std::int64_t width = 0;  ///< elements of a row
  std::int64_t rows = 0;

  std::int64_t row_bytes() const { return width * type_bytes(type); }
  /// Every row can be read by itself at the cost of its own bytes (pread).
  bool direct() const;
  /// For messages: file, data set and row in it.
  std::string where(std::int64_t row) const;
};

/// Reads rows of a RowArray in their own type and this machine's byte order, arranged as their part says. Contiguous data of this byte
/// order are read by pread, beside HDF5 and its global lock; anything else through HDF5, each chunk decoded once per call. One thread at a
/// time. A file that has changed since it was described is an Error that names it. gather() keeps every file open that it has read from;
/// read() keeps one open.
class RowFile {
 public:
  explicit RowFile(const RowArray& array);
  RowFile(const RowFile&) = delete;
  RowFile& operator=(const RowFile&) = delete;
  ~RowFile();

  /// Rows [first, last), in large pieces.
  void read(std::int64_t first, std::int64_t last, std::byte* out);
  /// These rows (ascending, none twice), one behind the other.
  void gather(std::span<const std::int64_t> rows, std::byte* out);
  /// An Error if a file that was read has changed. Call it after reading, before the rows are used.
  void expect_unchanged() const;

 private:
  struct Open;
  Open& open(std::size_t part);
  void expect_unchanged(std::size_t part) const;
  void close_others(std::size_t part);
  void read_part(std::size_t part, std::int64_t first, std::int64_t last, std::byte* out);
  void try_to_read(std::size_t part, std::int64_t first, std::int64_t last, std::byte* out);
  void gather_blocks(std::size_t part, std::span<const std::int64_t> rows, std::byte* out);

  const RowArray& array_;
  std::vector<Open> open_;          // per part; opened when first needed
  std::vector<std::byte> scratch_;  // a block of rows through HDF5
};

}  // namespace lockstep
