#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/dataset.h"

namespace lockstep {

/// A column whose distinct values become equal as float32: large numbers, and times that lie near each other.
struct LostValues {
  std::string where;                                ///< "f.h5: data set '/train/x', column 3 ('time')"
  std::int64_t values = 0, distinct = 0, lost = 0;  ///< of the rows that were looked at; lost: distinct values that equal another one
  double least = 0, greatest = 0;
};

/// Columns of features and truth in the types that float32 does not hold (32 and 64 bits, float64). Looks at some thousand rows, spread
/// over the data set in runs of neighbours. Whole numbers count however few are lost; fractions from 1 in 100 on.
std::vector<LostValues> lost_values(const Hdf5Dataset& data);

/// A warning of one sentence, with what to do.
std::string lost_text(const LostValues& lost);

}  // namespace lockstep
