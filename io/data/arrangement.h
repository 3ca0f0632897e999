#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/element_type.h"

namespace lockstep {

/// How rows of one file are brought into the order of names that hold for all files. Empty lists change nothing.
struct Arrangement {
  std::vector<std::int64_t> columns = {};  ///< column i of a row comes from column columns[i] of the file
  std::vector<std::int64_t> classes = {};  ///< class index c of the file becomes classes[c]; -1: the file has no name for it

  std::int64_t first_label = 0;  ///< the label of class 0, which the file's labels begin with

  /// first_label becomes 0 in a column of labels. Returns the first row whose label is less; -1: there is none.
  std::int64_t subtract_first_label(ElementType type, std::int64_t rows, std::byte* data) const;
  /// Whether names move anything of a row.
  bool moves() const;
  /// Arranges `rows` rows of `columns.size()` elements, or of one class index. Returns the first row whose class has no name in the file
  /// but one elsewhere; -1: there is none. What is no class index at all stays as it is.
  std::int64_t apply(ElementType type, std::int64_t rows, std::byte* data) const;
};

/// For Arrangement::columns: where the columns `wanted` are among `found`. `what` ("features") and the two origins are for the Error
/// (kUsage) where a name is missing, unknown or there twice.
std::vector<std::int64_t> arrange_columns(const std::vector<std::string>& found, const std::string& found_in,
                                          const std::vector<std::string>& wanted, const std::string& wanted_by, const std::string& what);

/// For Arrangement::classes: the index of each class `found` among `wanted`, -1 for indices beyond. A class that is not among them is an
/// Error (kUsage).
std::vector<std::int64_t> arrange_classes(const std::vector<std::string>& found, const std::string& found_in,
                                          const std::vector<std::string>& wanted, const std::string& wanted_by);

}  // namespace lockstep
