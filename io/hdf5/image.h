#pragma once
#include <cstddef>
#include <span>
#include <string>
#include <string_view>

#include "io/hdf5/file.h"

// HDF5 files in memory. They are written to disk, into archives and checksummed by our own code, which sees every error.
namespace lockstep {

Hdf5File create_hdf5_image(const std::string& name);                        ///< `name` is for messages
Hdf5File open_hdf5_image(const std::string& name, std::string_view bytes);  ///< a copy of a whole file's bytes, read-only
std::string hdf5_image(const Hdf5File& file);                               ///< the bytes that the file has, or would have on disk
/// The memory of a file in memory itself, complete now: may be changed where data sets lie (ArrayInfo::file_offset), valid until the file
/// is written to by other functions or goes.
std::span<std::byte> hdf5_image_memory(const Hdf5File& file);

}  // namespace lockstep
