#pragma once
#include <cstdint>
#include <string>
#include <vector>

#include "io/hdf5/handle.h"

namespace lockstep {

/// Whether an absolute name leads to a group or data set, which may still be damaged.
bool hdf5_has_object(std::int64_t file, const std::string& name);

/// A group or data set by its absolute name; throws if there is none.
Hdf5Handle hdf5_open_object(std::int64_t file, const std::string& path, const std::string& name);

enum class Hdf5Kind { group, dataset };
/// The absolute names of all objects of a kind in a file, sorted.
std::vector<std::string> hdf5_objects(std::int64_t file, const std::string& path, Hdf5Kind kind);

}  // namespace lockstep
