#pragma once
#include <bit>
#include <cstdint>

namespace lockstep {

// For the .cpp files of core: what loops over floats are made of. No call to libm, so that they vectorise and give the same bits on
// every machine; all inlined into the caller, which carries LOCKSTEP_CLONES.

/// e^x to 1e-13 relative for x in [-708, 709], held at the ends outside; NaN stays NaN.
[[gnu::always_inline]] inline double exponential_of(double x) {
  constexpr double kRound = 0x1.8p52;  // adding it leaves round(x) in the low bits of the sum
  constexpr double kLog2High = 0x1.62e42feep-1, kLog2Low = 0x1.a39ef35793c76p-33;
  x = x < -708.0 ? -708.0 : x;
  x = x > 709.0 ? 709.0 : x;
  const double shifted = x * 0x1.71547652b82fep0 + kRound;  // x / log 2
  const double n = shifted - kRound;
  const double r = (x - n * kLog2High) - n * kLog2Low;  // |r| <= log(2) / 2: Taylor to r^10 leaves 2e-13
  double sum = 1.0 / 3628800;
  sum = sum * r + 1.0 / 362880;
  sum = sum * r + 1.0 / 40320;
  sum = sum * r + 1.0 / 5040;
  sum = sum * r + 1.0 / 720;
  sum = sum * r + 1.0 / 120;
  sum = sum * r + 1.0 / 24;
  sum = sum * r + 1.0 / 6;
  sum = sum * r + 0.5;
  sum = sum * r + 1.0;
  sum = sum * r + 1.0;
  const auto exponent = std::bit_cast<std::uint64_t>(shifted) + 1023U;  // only the low 12 bits stay
  return sum * std::bit_cast<double>(exponent << 52U);
}

/// e^x - 1 without cancellation, to 1e-9 relative.
[[gnu::always_inline]] inline double exponential_minus_one(double x) {
  const double series = x * (1 + x * (0.5 + x * (1.0 / 6 + x * (1.0 / 24))));
  const double direct = exponential_of(x) - 1;
  return x < 1e-3 && x > -1e-3 ? series : direct;
}

/// 1 / (1 + e^-x); the argument of e is never positive, so nothing overflows.
[[gnu::always_inline]] inline double logistic(double x) {
  const double e = exponential_of(x < 0 ? x : -x);
  return (x < 0 ? e : 1.0) / (1 + e);
}

/// log(1 + u) for u in [0, 1], to 1e-11 relative.
[[gnu::always_inline]] inline double logarithm_of_one_plus(double u) {
  const double s = u / (2 + u), square = s * s;  // log(1 + u) = 2 artanh(s), s <= 1/3
  double sum = 1.0 / 21;
  sum = sum * square + 1.0 / 19;
  sum = sum * square + 1.0 / 17;
  sum = sum * square + 1.0 / 15;
  sum = sum * square + 1.0 / 13;
  sum = sum * square + 1.0 / 11;
  sum = sum * square + 1.0 / 9;
  sum = sum * square + 1.0 / 7;
  sum = sum * square + 1.0 / 5;
  sum = sum * square + 1.0 / 3;
  sum = sum * square + 1.0;
  return 2 * s * sum;
}

/// log(1 + e^x).
[[gnu::always_inline]] inline double softplus_of(double x) {
  const double rest = logarithm_of_one_plus(exponential_of(x < 0 ? x : -x));
  return x < 0 ? rest : x + rest;
}

/// tanh x, to 1e-9 relative.
[[gnu::always_inline]] inline double hyperbolic_tangent(double x) {
  const double e = exponential_minus_one(x < 0 ? 2 * x : -2 * x);  // in (-1, 0]
  const double magnitude = -e / (2 + e);
  return x < 0 ? -magnitude : magnitude;
}

/// y[i] = f(x[i]) for i < count; x may be y.
template <typename Function>
[[gnu::always_inline]] inline void map(const float* x, float* y, std::int64_t count, Function f) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) y[i] = f(x[i]);
}

/// z[i] = f(x[i], y[i]) for i < count; z may be x or y.
template <typename Function>
[[gnu::always_inline]] inline void map(const float* x, const float* y, float* z, std::int64_t count, Function f) {
#pragma omp simd
  for (std::int64_t i = 0; i < count; ++i) z[i] = f(x[i], y[i]);
}

/// y[i] = x[i] * scale + offset for i < count; x may be y.
void affine(const float* x, float* y, std::int64_t count, float scale, float offset);

/// Sum of partial sums in a fixed tree.
[[gnu::always_inline]] inline double sum_lanes(double (&partial)[16]) {
  for (int half = 8; half > 0; half /= 2) {
    for (int lane = 0; lane < half; ++lane) partial[lane] += partial[lane + half];
  }
  return partial[0];
}

/// Sum over i < count of f(x[i], y[i]) in double, in sixteen partial sums whatever the vector length: the same bits on every machine.
template <typename Function>
[[gnu::always_inline]] inline double sum(const float* x, const float* y, std::int64_t count, Function f) {
  constexpr std::int64_t kLanes = 16;
  double partial[kLanes] = {};
  std::int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) {
#pragma omp simd
    for (std::int64_t lane = 0; lane < kLanes; ++lane) partial[lane] += f(x[i + lane], y[i + lane]);
  }
  for (std::int64_t lane = 0; i + lane < count; ++lane) partial[lane] += f(x[i + lane], y[i + lane]);
  return sum_lanes(partial);
}

/// y[r, :] = softmax(x[r, :]); x may be y. log_sum (rows), unless null: log sum_k e^(x_k - max x), exact also where one x is far above
/// the others.
void softmax_rows(const float* x, float* y, std::int64_t rows, std::int64_t width, double* log_sum);

}  // namespace lockstep
