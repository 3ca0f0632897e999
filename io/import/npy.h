#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5/file.h"

namespace lockstep {

/// An array of NumPy's npy format (versions 1 to 3): a header with type, order and shape, then the elements.
struct NpyArray {
  ElementType type = ElementType::other;  ///< bool is u8; `other` holds texts
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;    ///< elements in C order and this machine's byte order
  std::vector<std::string> texts;  ///< of a type 'S' or 'U', as UTF-8

  std::int64_t rows() const { return shape.empty() ? 0 : shape.front(); }
};

/// Parses a whole file; `name` is for messages. Refused: pickled objects, structured and complex types, more or fewer bytes than the shape
/// needs.
NpyArray parse_npy(std::string_view file, const std::string& name);

}  // namespace lockstep
