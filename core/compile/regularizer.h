#pragma once

namespace lockstep {

/// Penalty on a weight, added to the loss: l1 * sum|w| + l2 * sum w^2 (no 1/2, as in Keras).
struct Regularizer {
  float l1 = 0;
  float l2 = 0;
};

}  // namespace lockstep
