#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/file.h"

namespace lockstep {

/// One column of a (rows, columns) or (rows) data set, over its finite values.
struct ColumnStats {
  double min = 0, mean = 0, max = 0;
  double std = 0;            ///< population: divided by the number of values
  std::int64_t values = 0;   ///< finite ones
  std::int64_t missing = 0;  ///< NaN or infinite
};

/// One pass, in blocks of rows, whatever the size of the data set.
std::vector<ColumnStats> column_stats(const Hdf5File& file, const std::string& dataset);

/// How often each class index 0, 1, ... occurs. Throws if a value is no class index (negative, a fraction, or above 99,999).
std::vector<std::int64_t> label_histogram(const Hdf5File& file, const std::string& dataset);

}  // namespace lockstep
