#pragma once
#include <cstdint>
#include <string_view>

namespace lockstep {

/// Type of one element of a data set, whatever its byte order in the file (HDF5 converts on reading). Enumerations count as their integer
/// (h5py's bool is i8); `other` is everything else (strings, compounds, bfloat16, ...) and cannot be read.
enum class ElementType { u8, i8, u16, i16, u32, i32, u64, i64, f16, f32, f64, other };
std::string_view type_name(ElementType type);  ///< "uint8", "float32", ... as NumPy writes them
std::int64_t type_bytes(ElementType type);     ///< 1, 2, 4 or 8; 0 for other
bool is_floating(ElementType type);

enum class StorageLayout { compact, contiguous, chunked };
std::string_view layout_name(StorageLayout layout);

}  // namespace lockstep
