#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// Lengths of the axes of one sample (the batch axis is never part of a Shape): {28, 28}. Row-major; {} is a scalar.
using Shape = std::vector<std::int64_t>;

/// Product of the axes; 1 for {}.
std::int64_t elements(const Shape& shape);

/// As Keras prints it, with or without the batch axis: "(None, 28, 28)", "(28, 28)", "(3,)".
std::string to_string(const Shape& shape, bool batch_axis = false);

}  // namespace lockstep
