#pragma once
#include <string>

#include "io/hdf5_dataset.h"

namespace lockstep {

/// What ranks that read the same data have in common: file names without folders (hosts may have copies), sizes, a hash of each file's first
/// 64 KiB, where HDF5 keeps its description; type, shape, rows. Reads that much of every file; an Error names one that cannot be read.
std::string data_digest(const Hdf5Dataset& data);

}  // namespace lockstep
