#include "core/compile/optimizer_kernels.h"

#include <algorithm>
#include <cmath>

#include "cluster/clones.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

[[gnu::always_inline]] inline float decayed(float w, float weight_decay, float learning_rate) {
  return w - w * weight_decay * learning_rate;
}

LOCKSTEP_CLONES double block_sum_of_squares(const float* g, std::int64_t count) {
  return sum(g, g, count, [](double a, double b) { return a * b; });
}

}  // namespace

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

LOCKSTEP_CLONES void clip_values(float* g, std::int64_t count, float limit) {
  map(g, g, count, [limit](float v) { return v < -limit ? -limit : v > limit ? limit : v; });
}

LOCKSTEP_CLONES void scale_values(float* g, std::int64_t count, double factor) {
  map(g, g, count, [factor](float v) { return static_cast<float>(v * factor); });
}

double sum_of_squares(const float* flat, VariableRange range) {
  constexpr std::int64_t kGroup = 64;  // block sums kept on the stack at a time
  const std::int64_t last = range.offset + range.count;
  const std::int64_t block_end = (last + kOptimizerBlock - 1) / kOptimizerBlock;
  double total = 0;
  for (std::int64_t group = range.offset / kOptimizerBlock; group < block_end; group += kGroup) {
    const std::int64_t blocks = std::min(kGroup, block_end - group);
    double block_sum[kGroup];
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t first = std::max(range.offset, (group + b) * kOptimizerBlock);
      block_sum[b] = block_sum_of_squares(flat + first, std::min(last, (group + b + 1) * kOptimizerBlock) - first);
    }
    for (std::int64_t b = 0; b < blocks; ++b) total += block_sum[b];
  }
  return total;
}

}  // namespace lockstep
