#pragma once
#include <cstdint>

#include "io/hdf5/file.h"

// Data sets, or chunks of them, that were never written. HDF5 reads their default fill value, or leaves the caller's memory as it was.
namespace lockstep {

/// An Error that names bytes and rows if storage of rows [first, last) was never written: HDF5 would invent their numbers. Rows of a data
/// set with a user-defined fill value count as written.
void expect_written(const Hdf5File& file, const ArrayInfo& info, std::int64_t first, std::int64_t last);

}  // namespace lockstep
