#include "core/math/onednn/trial.h"

namespace lockstep::onednn {

Buffer made_up(std::int64_t count, std::uint32_t seed) {
  Buffer values(count);
  for (std::int64_t i = 0; i < count; ++i) {
    seed = seed * 1664525U + 1013904223U;  // Numerical Recipes' generator
    values.data()[i] = static_cast<float>(static_cast<std::int32_t>(seed)) * 0x1p-31F;
  }
  return values;
}

}  // namespace lockstep::onednn
