#pragma once
#include <cstdint>

namespace lockstep {

/// A part of the flat buffers of weights and gradients: a variable's place, or that of several.
struct VariableRange {
  std::int64_t offset, count;
};

}  // namespace lockstep
