#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include "core/data/shape.h"
#include "io/hdf5/file.h"

namespace lockstep {

/// A data set, or some columns of it, as a part of rows: how it becomes the elements that are trained on.
struct RowSource {
  ArrayInfo info;                                               ///< of the data set; axes in the order of the file
  bool reversed = false;                                        ///< the last axis counts rows
  std::int64_t first = 0, count = 0;                            ///< columns of a row that are taken
  double scale = 1, offset = 0;                                 ///< a value counts as value * scale + offset
  std::vector<double> missing = {};                             ///< these values count as NaN
  std::map<std::string, std::int32_t, std::less<>> words = {};  ///< class index of each string
  std::map<std::int64_t, std::int32_t> codes = {};              ///< class index of each value of an enumeration
  std::vector<std::string> names = {};                          ///< of the columns

  std::int64_t rows() const { return reversed && !info.shape.empty() ? info.shape.back() : info.rows(); }
  std::int64_t row_elements() const;  ///< of the data set, all columns
  Shape row_shape() const;            ///< axes of a row, all columns
  ElementType type() const;           ///< the narrowest of ours that holds its elements
  bool whole() const { return first == 0 && count == row_elements(); }
  /// Rows are its elements as they lie in the file, or through HDF5.
  bool plain() const { return !reversed && whole() && !converted(); }
  bool converted() const { return scale != 1 || offset != 0 || !missing.empty() || !words.empty() || !codes.empty(); }
};

/// A type that holds the elements of all these sources: their own if it is one, float32 if that holds them, else float64.
ElementType common_type(const std::vector<RowSource>& sources);

/// Rows [lo, hi) of the sources side by side as elements of `type`, the common type. Strings and values without a class are an Error.
void read_sources(const Hdf5File& file, const std::vector<RowSource>& sources, ElementType type, std::int64_t lo, std::int64_t hi,
                  std::byte* out);

}  // namespace lockstep
