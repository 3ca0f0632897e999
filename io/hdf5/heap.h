#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "io/hdf5/handle.h"

namespace lockstep {

/// Reads elements of an attribute or data set as this type (hid_t).
using Hdf5ElementReader = std::function<void(std::int64_t type, char* out)>;

/// The `count` strings, of variable or fixed length, that `read` reads from a file; `place` is for messages. Padding is dropped.
std::vector<std::string> hdf5_strings(std::int64_t file, const Hdf5Handle& stored, std::size_t count, const std::string& place,
                                      const Hdf5ElementReader& read);

}  // namespace lockstep
