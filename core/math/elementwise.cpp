#include "core/math/elementwise.h"

#include "cluster/clones.h"

namespace lockstep {

LOCKSTEP_CLONES void affine(const float* x, float* y, std::int64_t count, float scale, float offset) {
  for (std::int64_t i = 0; i < count; ++i) y[i] = x[i] * scale + offset;
}

}  // namespace lockstep
