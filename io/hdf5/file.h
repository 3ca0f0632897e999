#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5/element_type.h"

namespace lockstep {

/// A value of an enumeration.
struct EnumMember {
  std::string name;
  std::int64_t value;
};

/// What a file says about one data set.
struct ArrayInfo {
  std::string name;                 ///< full name, "/train/x"
  std::vector<std::int64_t> shape;  ///< first axis = rows; empty for a scalar
  ElementType type = ElementType::other;
  bool text = false;                ///< strings; `type` is `other`
  std::vector<EnumMember> members;  ///< of an enumeration, by value
  bool native_order = true;         ///< the bytes in the file are what read_raw gives (little-endian, no enumeration padding)
  StorageLayout layout = StorageLayout::contiguous;
  std::vector<std::int64_t> chunk;   ///< shape of a chunk; empty unless chunked
  std::vector<std::string> filters;  ///< "gzip(4)", "shuffle", ... in the order of writing
  std::int64_t storage_bytes = 0;    ///< bytes taken in the file, after compression
  std::int64_t file_offset = -1;  ///< where the first byte of a contiguous data set stands, for pread; -1: not contiguous or never written

  std::int64_t rows() const { return shape.empty() ? 0 : shape.front(); }
  std::int64_t row_elements() const;  ///< product of all axes but the first
  std::int64_t row_bytes() const { return row_elements() * type_bytes(type); }
};

/// One HDF5 file, open for as long as the object lives. Every function throws lockstep::Error naming file and object, with HDF5's innermost
/// message; HDF5 itself prints nothing. Functions of one object, and of several, may be called from several threads (HDF5 takes turns).
/// An object name is absolute: "/" is the root group, "/train/x" a data set.
class Hdf5File {
 public:
  static Hdf5File open(const std::string& path);    ///< read-only
  static Hdf5File create(const std::string& path);  ///< an existing file is emptied
  /// Takes over an open file. `path` is for messages.
  Hdf5File(std::string path, std::int64_t id) : path_(std::move(path)), id_(id) {}
  Hdf5File(Hdf5File&& other) noexcept;
  Hdf5File& operator=(Hdf5File&& other) noexcept;
  ~Hdf5File();

  const std::string& path() const { return path_; }
  std::int64_t id() const { return id_; }  ///< hid_t, for io/hdf5
  int descriptor() const;                  ///< HDF5's own, of a file on disk: to look at it (fstat), not to read or close
  void close();  ///< reports what the destructor would have to swallow (a full disk); the object is empty afterwards

  std::vector<std::string> groups() const;    ///< without "/", sorted by name; only what hard links reach
  std::vector<std::string> datasets() const;  ///< sorted by name
  bool exists(const std::string& name) const;
  /// Refused: data in external files, virtual data sets, and links that lead into another file.
  ArrayInfo info(const std::string& dataset) const;

  /// Rows [lo, hi) in row-major order; `out` has exactly (hi - lo) * row_elements() elements. T is float, double or std::int64_t.
  /// Integers are rounded to the nearest float; reading std::int64_t throws on a fraction, NaN or a number beyond 64 bits.
  template <class T>
  void read_rows(const std::string& dataset, std::int64_t lo, std::int64_t hi, std::span<T> out) const;
  /// The same rows as elements of the data set's own type in this machine's byte order: (hi - lo) * row_bytes() bytes.
  void read_raw(const std::string& dataset, std::int64_t lo, std::int64_t hi, std::span<std::byte> out) const;
  /// The same where the last axis counts rows and the others are in reverse, as MATLAB and Julia write arrays: [lo, hi) of the last axis.
  /// Axes come out in reverse, so that the first counts rows.
  void read_reversed(const std::string& dataset, std::int64_t lo, std::int64_t hi, std::span<std::byte> out) const;
  /// Rows [lo, hi) of one string each, without padding.
  std::vector<std::string> read_strings(const std::string& dataset, std::int64_t lo, std::int64_t hi) const;
  double read_scalar(const std::string& dataset) const;  ///< the number in a data set of shape ()

  /// A new contiguous data set, groups on the way included. T is std::uint8_t, std::int32_t, std::int64_t, float or double.
  template <class T>
  void write(const std::string& dataset, const std::vector<std::int64_t>& shape, std::span<const T> values);
  /// The same for elements of any type but `other` as bytes in this machine's order.
  void write_raw(const std::string& dataset, const std::vector<std::int64_t>& shape, ElementType type, std::span<const std::byte> bytes);
  void create_group(const std::string& name);  ///< and those on the way

 private:
  std::string path_;
  std::int64_t id_ = -1;  // hid_t
};

}  // namespace lockstep
