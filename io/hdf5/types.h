#pragma once
#include "io/hdf5/element_type.h"
#include "io/hdf5/handle.h"

namespace lockstep {

/// HDF5's own type in this machine's order (x86: little-endian).
Hdf5Handle hdf5_memory_type(ElementType type);

struct Hdf5Type {
  ElementType type = ElementType::other;
  bool native_order = false;
};

/// A type equal to one of ours up to byte order; anything else (odd precisions, padding, bfloat16) is `other`.
Hdf5Type hdf5_classify(const Hdf5Handle& stored);

}  // namespace lockstep
