#pragma once
#include <cstddef>
#include <cstdint>
#include <span>

#include "io/hdf5/file.h"

namespace lockstep {

/// out[i] = the nearest float of element i of `count` elements of one type at `in` (aligned to that type), in this machine's byte order.
using ToFloat = void (*)(const std::byte* in, float* out, std::int64_t count);
ToFloat to_float(ElementType type);

/// The same as doubles.
void to_double(ElementType type, const std::byte* in, double* out, std::int64_t count);

/// Elements of `width` bytes that lie with the first axis fastest, in C order. `in` and `out` do not overlap.
void from_fortran(const std::byte* in, std::span<const std::int64_t> shape, std::size_t width, std::byte* out);

/// Index of the first of `count` elements at `in` whose float is NaN or infinite, at memory speed; -1: none. Integers are finite.
std::int64_t first_not_finite(ElementType type, const std::byte* in, std::int64_t count);
/// One element as a double.
double element_value(ElementType type, const std::byte* in);

}  // namespace lockstep
