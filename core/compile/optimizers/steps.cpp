#include "core/compile/optimizers/steps.h"

#include <algorithm>
#include <cmath>

#include "cluster/clones.h"
#include "core/math/decimal.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

// The loops of a step: one pass over `count` floats of the parameters w, the gradients g and the slots, which do not overlap. Each first
// applies the weight decay w -= w * weight_decay * learning_rate, as Keras does. All arithmetic in float, in Keras' order of operations.

/// Floats per block: what one thread takes at a time.
constexpr std::int64_t kBlock = 65'536;

/// f(first, count) for each block of [0, total).
template <typename Function>
void for_blocks(std::int64_t total, Function f) {
  const std::int64_t blocks = (total + kBlock - 1) / kBlock;
  for (std::int64_t b = 0; b < blocks; ++b) {
    const std::int64_t first = b * kBlock;
    f(first, total - first < kBlock ? total - first : kBlock);
  }
}

[[gnu::always_inline]] inline float decayed(float w, float weight_decay, float learning_rate) {
  return w - w * weight_decay * learning_rate;
}

/// The range's blocks, one after the other.
template <typename Function>
void for_blocks(const StepRange& range, Function f) {
  for_blocks(range.count, [&](std::int64_t first, std::int64_t n) {
    StepRange block = range;
    block.w += first;
    block.g += first;
    for (float*& slot : block.slots) slot = slot == nullptr ? nullptr : slot + first;
    block.count = n;
    f(block);
  });
}

LOCKSTEP_CLONES double block_sum_of_squares(const float* g, std::int64_t count) {
  return sum(g, g, count, [](double a, double b) { return a * b; });
}

struct SgdStep {
  float learning_rate, weight_decay, momentum;
  bool nesterov;
};

/// m: momentum, or null for w -= lr g alone.
LOCKSTEP_CLONES void sgd_step(float* w, const float* g, float* m, std::int64_t count, const SgdStep& step) {
  const auto [lr, decay, mu, nesterov] = step;
  if (m == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) w[i] = decayed(w[i], decay, lr) - lr * g[i];
  } else if (nesterov) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] = mu * m[i] - lr * g[i];
      w[i] = decayed(w[i], decay, lr) + (mu * m[i] - lr * g[i]);
    }
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] = mu * m[i] - lr * g[i];
      w[i] = decayed(w[i], decay, lr) + m[i];
    }
  }
}

struct AdamStep {
  float learning_rate, weight_decay;
  float alpha;                               ///< lr sqrt(1 - b2^t) / (1 - b1^t)
  float one_minus_beta_1, one_minus_beta_2;  ///< 1 - b1, 1 - b2
  float epsilon;
};

/// m: momentum, v: velocity, v_hat: largest velocity so far, or null without amsgrad.
LOCKSTEP_CLONES void adam_step(float* w, const float* g, float* m, float* v, float* v_hat, std::int64_t count, const AdamStep& step) {
  const auto [lr, decay, alpha, rest_1, rest_2, epsilon] = step;
  if (v_hat == nullptr) {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] += (g[i] - m[i]) * rest_1;
      v[i] += (g[i] * g[i] - v[i]) * rest_2;
      w[i] = decayed(w[i], decay, lr) - m[i] * alpha / (std::sqrt(v[i]) + epsilon);
    }
  } else {
#pragma omp simd
    for (std::int64_t i = 0; i < count; ++i) {
      m[i] += (g[i] - m[i]) * rest_1;
      v[i] += (g[i] * g[i] - v[i]) * rest_2;
      v_hat[i] = v_hat[i] > v[i] ? v_hat[i] : v[i];
      w[i] = decayed(w[i], decay, lr) - m[i] * alpha / (std::sqrt(v_hat[i]) + epsilon);
    }
  }
}

struct RmspropStep {
  float learning_rate, weight_decay;
  float rho, one_minus_rho, momentum, epsilon;
};

/// v: velocity, m: momentum or null, mean: average gradient or null.
LOCKSTEP_CLONES void rmsprop_step(float* w, const float* g, float* v, float* m, float* mean, std::int64_t count, const RmspropStep& step) {
  const auto [lr, decay, rho, rest, mu, epsilon] = step;
  // A block at a time through a small buffer of denominators, so that each of the four variants is a plain loop.
  constexpr std::int64_t kChunk = 256;
  float denominator[kChunk];
  for (std::int64_t first = 0; first < count; first += kChunk) {
    const std::int64_t n = std::min(kChunk, count - first);
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) {
      v[first + i] = rho * v[first + i] + rest * (g[first + i] * g[first + i]);
      denominator[i] = v[first + i] + epsilon;
    }
    if (mean != nullptr) {
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) {
        mean[first + i] = rho * mean[first + i] + rest * g[first + i];
        const float variance = v[first + i] - mean[first + i] * mean[first + i];
        denominator[i] = (variance < 0 ? 0.0F : variance) + epsilon;  // rounding makes it negative; the root of that is Keras' NaN
      }
    }
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) denominator[i] = lr * g[first + i] / std::sqrt(denominator[i]);  // now the increment
    if (m != nullptr) {
#pragma omp simd
      for (std::int64_t i = 0; i < n; ++i) denominator[i] = m[first + i] = mu * m[first + i] + denominator[i];
    }
#pragma omp simd
    for (std::int64_t i = 0; i < n; ++i) w[first + i] = decayed(w[first + i], decay, lr) - denominator[i];
  }
}

struct LionStep {
  float learning_rate, weight_decay;
  float beta_1, one_minus_beta_1, beta_2, one_minus_beta_2;
};

/// m: momentum.
LOCKSTEP_CLONES void lion_step(float* w, const float* g, float* m, std::int64_t count, const LionStep& step) {
  const auto [lr, decay, beta_1, rest_1, beta_2, rest_2] = step;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float direction = beta_1 * m[i] + rest_1 * g[i];
    const float sign = direction > 0 ? 1.F : direction < 0 ? -1.F : direction;  // 0 stays 0, NaN stays NaN
    w[i] = decayed(w[i], decay, lr) - lr * sign;
    m[i] = beta_2 * m[i] + rest_2 * g[i];
  }
}

struct AdadeltaStep {
  float learning_rate, weight_decay;
  float rho, one_minus_rho, epsilon;
};

/// a: accumulated squares of gradients, d: of steps.
LOCKSTEP_CLONES void adadelta_step(float* w, const float* g, float* a, float* d, std::int64_t count, const AdadeltaStep& step) {
  const auto [lr, decay, rho, rest, epsilon] = step;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    a[i] = rho * a[i] + rest * (g[i] * g[i]);
    const float delta = -(std::sqrt(d[i] + epsilon) * g[i] / std::sqrt(a[i] + epsilon));
    d[i] = rho * d[i] + rest * (delta * delta);
    w[i] = decayed(w[i], decay, lr) + lr * delta;
  }
}

/// a: accumulated squares.
LOCKSTEP_CLONES void adagrad_step(float* w, const float* g, float* a, std::int64_t count, float lr, float decay, float epsilon) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    a[i] += g[i] * g[i];
    w[i] = decayed(w[i], decay, lr) - lr * g[i] / std::sqrt(a[i] + epsilon);
  }
}

struct AdamaxStep {
  float learning_rate, weight_decay;
  float one_minus_beta_1, beta_2, correction, epsilon;
};

/// m: momentum, u: norm.
LOCKSTEP_CLONES void adamax_step(float* w, const float* g, float* m, float* u, std::int64_t count, const AdamaxStep& step) {
  const auto [lr, decay, rest, beta_2, correction, epsilon] = step;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] += (g[i] - m[i]) * rest;
    const float size = std::fabs(g[i]), before = beta_2 * u[i];
    u[i] = before > size ? before : size;
    w[i] = decayed(w[i], decay, lr) - lr * m[i] / (correction * (u[i] + epsilon));
  }
}

struct FtrlStep {
  float learning_rate, weight_decay;
  float l1, twice_l2, twice_shrinkage;
};

/// a: accumulated squares, z: linear. power(a) = a^-learning_rate_power.
template <typename Power>
[[gnu::always_inline]] inline void ftrl_loop(float* w, const float* g, float* a, float* z, std::int64_t count, const FtrlStep& step,
                                             Power power) {
  const auto [lr, decay, l1, twice_l2, twice_shrinkage] = step;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    const float from = decayed(w[i], decay, lr), sum = a[i] + g[i] * g[i], root = power(sum);
    z[i] += g[i] + twice_shrinkage * from - (root - power(a[i])) / lr * from;
    a[i] = sum;
    const float clipped = z[i] < -l1 ? -l1 : z[i] > l1 ? l1 : z[i], away = clipped - z[i];
    w[i] = away == 0 ? 0.F : away / (root / lr + twice_l2);  // without any gradient yet Keras divides 0 by 0
  }
}
LOCKSTEP_CLONES void ftrl_root_step(float* w, const float* g, float* a, float* z, std::int64_t count, const FtrlStep& step) {
  ftrl_loop(w, g, a, z, count, step, [](float x) { return std::sqrt(x); });
}
void ftrl_power_step(float* w, const float* g, float* a, float* z, std::int64_t count, const FtrlStep& step, float power) {
  ftrl_loop(w, g, a, z, count, step, [power](float x) { return std::pow(x, power); });
}

struct NadamStep {
  float learning_rate, weight_decay;
  float one_minus_beta_1, one_minus_beta_2;
  float of_momentum, momentum_correction;  ///< u_(t+1), 1 - u_product u_(t+1)
  float of_gradient, gradient_correction;  ///< 1 - u_t, 1 - u_product
  float velocity_correction, epsilon;
};

/// m: momentum, v: velocity.
LOCKSTEP_CLONES void nadam_step(float* w, const float* g, float* m, float* v, std::int64_t count, const NadamStep& step) {
  const auto [lr, decay, rest_1, rest_2, of_m, correct_m, of_g, correct_g, correct_v, epsilon] = step;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] += (g[i] - m[i]) * rest_1;
    v[i] += (g[i] * g[i] - v[i]) * rest_2;
    const float m_hat = of_m * m[i] / correct_m + of_g * g[i] / correct_g;
    w[i] = decayed(w[i], decay, lr) - m_hat * lr / (std::sqrt(v[i] / correct_v) + epsilon);
  }
}

struct ScheduleFreeStep {
  float learning_rate, weight_decay;
  float rate;  ///< with warm-up
  float beta_1, one_minus_beta_1, one_minus_beta_2, velocity_correction, epsilon;
  float share;  ///< of z in the new mean x
};

/// z: where steps are taken, v: velocity.
LOCKSTEP_CLONES void schedule_free_step(float* w, const float* g, float* z, float* v, std::int64_t count, const ScheduleFreeStep& step) {
  const auto [lr, decay, rate, beta_1, rest_1, rest_2, correction, epsilon, share] = step;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    v[i] += (g[i] * g[i] - v[i]) * rest_2;
    const float before = z[i];
    z[i] -= rate * g[i] / (std::sqrt(v[i] / correction) + epsilon);
    const float mean = (decayed(w[i], decay, lr) - rest_1 * before) / beta_1;
    w[i] = rest_1 * z[i] + beta_1 * ((1 - share) * mean + share * z[i]);
  }
}

template <typename AnyAdam>
void adam_update(const AnyAdam& adam, const StepRange& range) {
  const float alpha = range.learning_rate * std::sqrt(1 - std::pow(adam.beta_2, range.t)) / (1 - std::pow(adam.beta_1, range.t));
  const AdamStep step{range.learning_rate, range.weight_decay, alpha, one_minus(adam.beta_1), one_minus(adam.beta_2), adam.epsilon};
  for_blocks(range, [&](const StepRange& b) { adam_step(b.w, b.g, b.slots[0], b.slots[1], b.slots[2], b.count, step); });
}

/// Nadam's u_t.
float momentum_at(const Nadam& nadam, float t) { return nadam.beta_1 * (1 - 0.5F * std::pow(0.96F, t)); }

}  // namespace

void update(const Sgd& sgd, const StepRange& range) {
  const SgdStep step{range.learning_rate, range.weight_decay, sgd.momentum, sgd.nesterov};
  for_blocks(range, [&](const StepRange& b) { sgd_step(b.w, b.g, b.slots[0], b.count, step); });
}

void update(const Adam& adam, const StepRange& range) { adam_update(adam, range); }
void update(const AdamW& adam, const StepRange& range) { adam_update(adam, range); }

void update(const RMSprop& rmsprop, const StepRange& range) {
  const RmspropStep step{range.learning_rate, range.weight_decay, rmsprop.rho, one_minus(rmsprop.rho), rmsprop.momentum, rmsprop.epsilon};
  const std::size_t mean = rmsprop.momentum > 0 ? 2 : 1;
  for_blocks(range, [&](const StepRange& b) {
    rmsprop_step(b.w, b.g, b.slots[0], rmsprop.momentum > 0 ? b.slots[1] : nullptr, rmsprop.centered ? b.slots[mean] : nullptr, b.count,
                 step);
  });
}

void update(const Lion& lion, const StepRange& range) {
  const LionStep step{range.learning_rate, range.weight_decay, lion.beta_1, one_minus(lion.beta_1), lion.beta_2, one_minus(lion.beta_2)};
  for_blocks(range, [&](const StepRange& b) { lion_step(b.w, b.g, b.slots[0], b.count, step); });
}

void update(const Adadelta& adadelta, const StepRange& range) {
  const AdadeltaStep step{range.learning_rate, range.weight_decay, adadelta.rho, one_minus(adadelta.rho), adadelta.epsilon};
  for_blocks(range, [&](const StepRange& b) { adadelta_step(b.w, b.g, b.slots[0], b.slots[1], b.count, step); });
}

void update(const Adagrad& adagrad, const StepRange& range) {
  for_blocks(range, [&](const StepRange& b) {
    adagrad_step(b.w, b.g, b.slots[0], b.count, range.learning_rate, range.weight_decay, adagrad.epsilon);
  });
}

void update(const Adamax& adamax, const StepRange& range) {
  const AdamaxStep step{
      range.learning_rate, range.weight_decay, one_minus(adamax.beta_1), adamax.beta_2, 1 - std::pow(adamax.beta_1, range.t),
      adamax.epsilon};
  for_blocks(range, [&](const StepRange& b) { adamax_step(b.w, b.g, b.slots[0], b.slots[1], b.count, step); });
}

void update(const Ftrl& ftrl, const StepRange& range) {
  const FtrlStep step{range.learning_rate, range.weight_decay, ftrl.l1_regularization_strength,
                      2 * (ftrl.l2_regularization_strength + ftrl.beta / (2 * range.learning_rate)),
                      2 * ftrl.l2_shrinkage_regularization_strength};
  const float power = -ftrl.learning_rate_power;
  for_blocks(range, [&](const StepRange& b) {
    if (power == 0.5F) return ftrl_root_step(b.w, b.g, b.slots[0], b.slots[1], b.count, step);
    ftrl_power_step(b.w, b.g, b.slots[0], b.slots[1], b.count, step, power);
  });
}

float next_product(const Nadam& nadam, float product, float t) { return product * nadam.beta_1 * (1 - 0.5F * std::pow(0.96F, t)); }

void update(const Nadam& nadam, const StepRange& range) {
  const float now = momentum_at(nadam, range.t), next = momentum_at(nadam, range.t + 1);
  const float product = next_product(nadam, range.number, range.t);
  const NadamStep step{.learning_rate = range.learning_rate,
                       .weight_decay = range.weight_decay,
                       .one_minus_beta_1 = 1 - nadam.beta_1,  // of the float, other than Adam's
                       .one_minus_beta_2 = 1 - nadam.beta_2,
                       .of_momentum = next,
                       .momentum_correction = 1 - product * next,
                       .of_gradient = 1 - now,
                       .gradient_correction = 1 - product,
                       .velocity_correction = 1 - std::pow(nadam.beta_2, range.t),
                       .epsilon = nadam.epsilon};
  for_blocks(range, [&](const StepRange& b) { nadam_step(b.w, b.g, b.slots[0], b.slots[1], b.count, step); });
}

void update(const ScheduleFreeAdamW& adam, const StepRange& range) {
  const float warm = adam.warmup_steps > 0 ? std::min(range.t / static_cast<float>(adam.warmup_steps), 1.F) : 1.F;
  const ScheduleFreeStep step{.learning_rate = range.learning_rate,
                              .weight_decay = range.weight_decay,
                              .rate = range.learning_rate * warm,
                              .beta_1 = adam.beta_1,
                              .one_minus_beta_1 = 1 - adam.beta_1,
                              .one_minus_beta_2 = 1 - adam.beta_2,
                              .velocity_correction = 1 - std::pow(adam.beta_2, range.t),
                              .epsilon = adam.epsilon,
                              .share = 1 / range.t};
  for_blocks(range, [&](const StepRange& b) { schedule_free_step(b.w, b.g, b.slots[0], b.slots[1], b.count, step); });
}

LOCKSTEP_CLONES void subtract(float* w, const float* g, std::int64_t count) {
  map(w, g, w, count, [](float a, float b) { return a - b; });
}

LOCKSTEP_CLONES void add_gradient(const float* g, float* sum, std::int64_t count) {
  map(g, sum, sum, count, [](float a, float b) { return a + b; });
}

LOCKSTEP_CLONES void take_mean(float* g, float* sum, std::int64_t count, float steps) {
  map(g, sum, g, count, [steps](float a, float b) { return (a + b) / steps; });
  std::fill_n(sum, count, 0.F);
}

LOCKSTEP_CLONES void add_to_average(const float* w, float* average, std::int64_t count, float momentum) {
  map(w, average, average, count, [momentum](float a, float b) { return momentum * b + (1 - momentum) * a; });
}

LOCKSTEP_CLONES void clip_values(float* g, std::int64_t count, float limit) {
  map(g, g, count, [limit](float v) { return v < -limit ? -limit : v > limit ? limit : v; });
}

LOCKSTEP_CLONES void scale_values(float* g, std::int64_t count, double factor) {
  map(g, g, count, [factor](float v) { return static_cast<float>(v * factor); });
}

double sum_of_squares(const float* flat, std::int64_t offset, std::int64_t count) {
  constexpr std::int64_t kGroup = 64;  // block sums kept on the stack at a time
  const std::int64_t last = offset + count;
  const std::int64_t block_end = (last + kBlock - 1) / kBlock;
  double total = 0;
  for (std::int64_t group = offset / kBlock; group < block_end; group += kGroup) {
    const std::int64_t blocks = std::min(kGroup, block_end - group);
    double block_sum[kGroup];
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t first = std::max(offset, (group + b) * kBlock);
      block_sum[b] = block_sum_of_squares(flat + first, std::min(last, (group + b + 1) * kBlock) - first);
    }
    for (std::int64_t b = 0; b < blocks; ++b) total += block_sum[b];
  }
  return total;
}

}  // namespace lockstep
