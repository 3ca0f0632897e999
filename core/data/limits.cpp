#include "core/data/limits.h"

namespace lockstep {

bool row_fits(const Shape& shape) {
  std::int64_t left = kMostElements;
  for (const std::int64_t axis : shape) left /= axis;  // floor(floor(a / b) / c) = floor(a / (b c))
  return left > 0;
}

}  // namespace lockstep
