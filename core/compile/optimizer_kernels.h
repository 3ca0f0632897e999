#pragma once
#include <cstdint>

#include "core/compile/optimizers.h"

namespace lockstep {

// The loops of the optimizers, for optimizers.cpp: one pass over `count` floats of the parameters w, the gradients g and the slots, which
// do not overlap. Each first applies the weight decay w -= w * weight_decay * learning_rate, as Keras does. All arithmetic in float, in
// Keras' order of operations.

struct SgdStep {
  float learning_rate, weight_decay, momentum;
  bool nesterov;
};
/// m: momentum, or null for w -= lr g alone.
void sgd_step(float* w, const float* g, float* m, std::int64_t count, const SgdStep& step);

struct AdamStep {
  float learning_rate, weight_decay;
  float alpha;                               ///< lr sqrt(1 - b2^t) / (1 - b1^t)
  float one_minus_beta_1, one_minus_beta_2;  ///< 1 - b1, 1 - b2
  float epsilon;
};
/// m: momentum, v: velocity, v_hat: largest velocity so far, or null without amsgrad.
void adam_step(float* w, const float* g, float* m, float* v, float* v_hat, std::int64_t count, const AdamStep& step);

struct RmspropStep {
  float learning_rate, weight_decay;
  float rho, one_minus_rho, momentum, epsilon;
};
/// v: velocity, m: momentum or null, mean: average gradient or null.
void rmsprop_step(float* w, const float* g, float* v, float* m, float* mean, std::int64_t count, const RmspropStep& step);

/// g = min(max(g, -limit), limit); NaN stays NaN.
void clip_values(float* g, std::int64_t count, float limit);
/// g *= factor.
void scale_values(float* g, std::int64_t count, double factor);

/// Sum of g^2 over a range of the flat buffer in double: per block of kOptimizerBlock, then block after block, whatever the number of
/// threads.
double sum_of_squares(const float* flat, VariableRange range);

/// Floats per block: what one thread takes at a time.
inline constexpr std::int64_t kOptimizerBlock = 65'536;

/// f(first, count) for each block of [0, total).
template <typename Function>
void for_blocks(std::int64_t total, Function f) {
  const std::int64_t blocks = (total + kOptimizerBlock - 1) / kOptimizerBlock;
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::int64_t first = b * kOptimizerBlock;
    f(first, total - first < kOptimizerBlock ? total - first : kOptimizerBlock);
  }
}

}  // namespace lockstep
