#pragma once
#include <cstddef>
#include <cstdint>

#include "io/hdf5_file.h"

namespace lockstep {

/// out[i] = the nearest float of element i of `count` elements of one type at `in` (aligned to that type), in this machine's byte order.
using ToFloat = void (*)(const std::byte* in, float* out, std::int64_t count);
ToFloat to_float(ElementType type);

}  // namespace lockstep
