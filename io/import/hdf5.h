#pragma once
#include <cstdint>
#include <string>

#include "io/hdf5/dataset.h"
#include "io/hdf5/file.h"

namespace lockstep {

/// Writes the rows of a data set as a data file: /SPLIT/x, /SPLIT/y and /SPLIT/weight in their own types, and the names. `split`: as
/// parse_split takes it, rows shuffled by the seed; empty: all rows to train, in order.
void import_hdf5(Hdf5File& file, const Hdf5Dataset& data, const std::string& split, std::uint64_t seed);

}  // namespace lockstep
