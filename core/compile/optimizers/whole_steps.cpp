#include "core/compile/optimizers/whole_steps.h"

#include <algorithm>
#include <cmath>

#include "cluster/clones.h"
#include "core/compile/optimizers/slots.h"
#include "core/math/decimal.h"
#include "core/math/elementwise.h"
#include "core/math/gemm/gemm.h"
#include "core/math/onednn/library.h"

namespace lockstep {
namespace {

/// L2 norm of the weights, of which decay times each is taken away first.
LOCKSTEP_CLONES double norm_of(const float* w, std::int64_t count, float decay) {
  return std::sqrt(sum(w, w, count, [decay](double v, double) {
    const double left = v - v * static_cast<double>(decay);
    return left * left;
  }));
}

/// g = factor g + decay w.
LOCKSTEP_CLONES void scale_and_decay(const float* w, float* g, std::int64_t count, float factor, float decay) {
  map(w, g, g, count, [=](float weight, float value) { return factor * value + weight * decay; });
}

struct Moments {
  float one_minus_beta_1, one_minus_beta_2;
  float correction_1, correction_2;  ///< what momentum and velocity are divided by
  float epsilon;
};

/// g = m / correction_1 / (sqrt(v / correction_2) + epsilon).
LOCKSTEP_CLONES void moments_step(float* g, float* m, float* v, std::int64_t count, const Moments& moments) {
  const auto [rest_1, rest_2, correct_1, correct_2, epsilon] = moments;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] += (g[i] - m[i]) * rest_1;
    v[i] += (g[i] * g[i] - v[i]) * rest_2;
    g[i] = m[i] / correct_1 / (std::sqrt(v[i] / correct_2) + epsilon);
  }
}

/// m = mu m + rate (g + decay w).
LOCKSTEP_CLONES void lars_step(const float* w, float* g, float* m, std::int64_t count, float mu, float rate, float decay) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) g[i] = m[i] = mu * m[i] + rate * (g[i] + decay * w[i]);
}

/// Adafactor's mean of squares of a matrix (rows, columns): row r and column c of it.
struct Factors {
  float *r, *c;
  std::int64_t rows, columns;
};

/// r = keep r + (1 - keep) mean(g^2 + epsilon) along rows; c along columns.
LOCKSTEP_CLONES void update_factors(const float* g, const Factors& factors, float keep, float epsilon) {
  const auto [r, c, rows, columns] = factors;
  const float rest = 1 - keep;
  const auto square = [epsilon](double a, double b) { return a * b + static_cast<double>(epsilon); };
  for (std::int64_t i = 0; i < rows; ++i) {
    const double mean = sum(g + i * columns, g + i * columns, columns, square) / static_cast<double>(columns);
    r[i] = keep * r[i] + rest * static_cast<float>(mean);
  }
  constexpr std::int64_t kTogether = 64;
  for (std::int64_t first = 0; first < columns; first += kTogether) {
    const std::int64_t n = std::min(kTogether, columns - first);
    double sums[kTogether] = {};
    for (std::int64_t i = 0; i < rows; ++i) {
      const float* const row = g + i * columns + first;
#pragma omp simd
      for (std::int64_t j = 0; j < n; ++j) sums[j] += square(row[j], row[j]);
    }
    for (std::int64_t j = 0; j < n; ++j)
      c[first + j] = keep * c[first + j] + rest * static_cast<float>(sums[j] / static_cast<double>(rows));
  }
}

/// v = r c / mean(r).
LOCKSTEP_CLONES void multiply_factors(const Factors& factors, float* v) {
  const auto [r, c, rows, columns] = factors;
  const auto mean = static_cast<float>(sum(r, r, rows, [](double a, double) { return a; }) / static_cast<double>(rows));
  for (std::int64_t i = 0; i < rows; ++i) {
    const float row = r[i] / mean;
#pragma omp simd
    for (std::int64_t j = 0; j < columns; ++j) v[i * columns + j] = row * c[j];
  }
}

/// v = keep v + (1 - keep)(g^2 + epsilon).
LOCKSTEP_CLONES void average_squares(const float* g, float* v, std::int64_t count, float keep, float epsilon) {
  const float rest = 1 - keep;
  map(g, v, v, count, [=](float value, float mean) { return keep * mean + rest * (value * value + epsilon); });
}

/// g = g / sqrt(v).
LOCKSTEP_CLONES void divide_by_root(float* g, const float* v, std::int64_t count) {
  map(g, v, g, count, [](float a, float b) { return a / std::sqrt(b); });
}

/// m += g - (1 - mu) m; then g = m, or g + mu m.
LOCKSTEP_CLONES void muon_momentum(float* g, float* m, std::int64_t count, float rest, float mu, bool nesterov) {
  const float of_g = nesterov ? 1 : 0, of_m = nesterov ? mu : 1;
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) {
    m[i] += g[i] - m[i] * rest;
    g[i] = of_g * g[i] + of_m * m[i];
  }
}

/// y = a x + b y.
LOCKSTEP_CLONES void combine(const float* x, float* y, std::int64_t count, float a, float b) {
  map(x, y, y, count, [=](float p, float q) { return a * p + b * q; });
}

void transpose(const float* from, std::int64_t rows, std::int64_t columns, float* to) {
  gemm_kernels(onednn_vector_width()).transpose(from, columns, rows, columns, to);
}

/// The Newton-Schulz steps X = a X + (b A + c A A) X with A = X X^T, of X (rows, columns). Puts the last X into `x`; `work`: as long as X
/// and two A.
void make_orthogonal(const Muon& muon, float* x, std::int64_t rows, std::int64_t columns, float* work) {
  const GemmKernels& kernels = gemm_kernels(onednn_vector_width());
  const std::int64_t count = rows * columns, squares = rows * rows;
  float *const product = work, *const a = work + count, *const b = a + squares;
  const auto times = [&](const float* left, const float* right, std::int64_t width, float* to) {
    multiply(kernels,
             {.rows = rows,
              .columns = width,
              .depth = rows,
              .a = left,
              .a_row = rows,
              .a_depth = 1,
              .b = right,
              .b_depth = width,
              .c = to,
              .c_row = width},
             false);
  };
  for (std::int64_t i = 0; i < muon.ns_steps; ++i) {
    multiply_transposed(kernels, x, x, a, rows, rows, columns);
    times(a, a, rows, b);
    combine(a, b, squares, muon.muon_b, muon.muon_c);
    times(b, x, columns, product);
    combine(product, x, count, 1, muon.muon_a);
  }
}

/// The update of a matrix, from what its momentum says.
void orthogonal_step(const Muon& muon, const WholeStep& step) {
  const std::int64_t rows = step.variable.shape[0], columns = step.variable.shape[1], count = rows * columns;
  const auto norm = static_cast<float>(norm_of(step.g, count, 0)) + 1e-7F;
  const float rms = muon.rms_rate ? std::sqrt(static_cast<float>(std::max(rows, columns))) * *muon.rms_rate : 1;
  const bool tall = rows > columns;
  float* const x = tall ? step.work.data() : step.g;
  if (tall) transpose(step.g, rows, columns, x);
  scale_and_decay(x, x, count, 1 / norm, 0);
  make_orthogonal(muon, x, std::min(rows, columns), std::max(rows, columns), step.work.data() + (tall ? count : 0));
  if (tall) transpose(x, columns, rows, step.g);
  scale_and_decay(step.w, step.g, count, step.learning_rate * rms, step.weight_decay * step.learning_rate);
}

}  // namespace

void form(const Lamb& lamb, const WholeStep& step) {
  const std::int64_t count = step.variable.count;
  const float decay = step.weight_decay * step.learning_rate;
  moments_step(
      step.g, step.slots[0], step.slots[1], count,
      {one_minus(lamb.beta_1), one_minus(lamb.beta_2), 1 - std::pow(lamb.beta_1, step.t), 1 - std::pow(lamb.beta_2, step.t), lamb.epsilon});
  const double weights = norm_of(step.w, count, decay), update = norm_of(step.g, count, 0);
  const float ratio = weights > 0 && update > 0 ? static_cast<float>(weights / update) : 1;
  scale_and_decay(step.w, step.g, count, ratio * step.learning_rate, decay);
}

void form(const Lars& lars, const WholeStep& step) {
  const std::int64_t count = step.variable.count;
  const double weights = norm_of(step.w, count, 0), gradient = norm_of(step.g, count, 0);
  const double size = gradient + static_cast<double>(step.weight_decay) * weights;
  const double trust = weights > 0 && size > 0 ? static_cast<double>(lars.trust_coefficient) * weights / size : 1;
  lars_step(step.w, step.g, step.slots[0], count, lars.momentum, static_cast<float>(trust) * step.learning_rate, step.weight_decay);
}

void form(const Adafactor& adafactor, const WholeStep& step) {
  const Shape& shape = step.variable.shape;
  const std::int64_t count = step.variable.count;
  const float decay = step.weight_decay * step.learning_rate, keep = 1 - std::pow(step.t, adafactor.beta_2_decay);
  float* const v = step.slots[2];
  if (shape.size() >= 2) {
    const std::int64_t rows = shape[shape.size() - 2], columns = shape.back();
    for (std::int64_t at = 0, matrix = 0; at < count; at += rows * columns, ++matrix) {
      const Factors factors{step.slots[0] + matrix * rows, step.slots[1] + matrix * columns, rows, columns};
      update_factors(step.g + at, factors, keep, adafactor.epsilon_1);
      multiply_factors(factors, v + at);
    }
  } else {
    average_squares(step.g, v, count, keep, adafactor.epsilon_1);
  }
  divide_by_root(step.g, v, count);
  const double root = std::sqrt(static_cast<double>(count));
  const auto update = static_cast<float>(norm_of(step.g, count, 0) / root),
             weights = static_cast<float>(norm_of(step.w, count, decay) / root);
  const float rate = std::max(adafactor.epsilon_2, weights) * std::min(step.learning_rate, 1 / std::sqrt(step.t));
  scale_and_decay(step.w, step.g, count, rate / std::max(1.F, update / adafactor.clip_threshold), decay);
}

void form(const Muon& muon, const WholeStep& step) {
  const std::int64_t count = step.variable.count;
  if (!step.work.empty()) {  // a matrix that does not take AdamW's step
    muon_momentum(step.g, step.slots[0], count, one_minus(muon.momentum), muon.momentum, muon.nesterov);
    return orthogonal_step(muon, step);
  }
  const float alpha = std::sqrt(1 - std::pow(muon.adam_beta_2, step.t)) / (1 - std::pow(muon.adam_beta_1, step.t));
  moments_step(step.g, step.slots[0], step.slots[1], count, {one_minus(muon.adam_beta_1), one_minus(muon.adam_beta_2), 1, 1, muon.epsilon});
  scale_and_decay(step.w, step.g, count, step.learning_rate * muon.adam_lr_ratio * alpha, step.weight_decay * step.learning_rate);
}

std::int64_t work_floats(const OptimizerSpec& spec, const OptimizerVariable& variable) {
  const auto* muon = std::get_if<Muon>(&spec);
  if (muon == nullptr || takes_adam(*muon, variable)) return 0;
  const std::int64_t rows = std::min(variable.shape[0], variable.shape[1]);
  return variable.count * (variable.shape[0] > variable.shape[1] ? 2 : 1) + 2 * rows * rows;
}

}  // namespace lockstep
