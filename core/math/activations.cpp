#include "core/math/activations.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <limits>
#include <numbers>
#include <string>
#include <utility>

#include "cluster/clones.h"
#include "cluster/error.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

using Function = ActivationFunction;

constexpr double kSeluAlpha = 1.6732632423543772;
constexpr double kSeluScale = 1.0507009873554805;
constexpr float kLeakySlope = 0.2F;

constexpr std::array<std::pair<std::string_view, Function>, 12> kNames = {{{"linear", Function::linear},
                                                                           {"relu", Function::relu},
                                                                           {"softmax", Function::softmax},
                                                                           {"sigmoid", Function::sigmoid},
                                                                           {"tanh", Function::tanh},
                                                                           {"elu", Function::elu},
                                                                           {"selu", Function::selu},
                                                                           {"gelu", Function::gelu},
                                                                           {"silu", Function::silu},
                                                                           {"softplus", Function::softplus},
                                                                           {"leaky_relu", Function::leaky_relu},
                                                                           {"swish", Function::silu}}};

[[gnu::always_inline]] inline double hyperbolic_tangent(double x) {
  const double e = exponential_minus_one(x < 0 ? 2 * x : -2 * x);  // in (-1, 0]
  const double magnitude = -e / (2 + e);
  return x < 0 ? -magnitude : magnitude;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2); }

LOCKSTEP_CLONES void elementwise(Function function, const float* x, float* y, std::int64_t n) {
  switch (function) {
    case Function::linear:
    case Function::softmax:  // not elementwise, not sent here
      return map(x, y, n, [](float v) { return v; });
    case Function::relu:  // written so that NaN stays NaN
      return map(x, y, n, [](float v) { return v < 0 ? 0.0F : v; });
    case Function::leaky_relu: return map(x, y, n, [](float v) { return v < 0 ? kLeakySlope * v : v; });
    case Function::sigmoid: return map(x, y, n, [](float v) { return static_cast<float>(logistic(v)); });
    case Function::tanh: return map(x, y, n, [](float v) { return static_cast<float>(hyperbolic_tangent(v)); });
    case Function::elu:
      return map(x, y, n, [](float v) {
        const auto negative = static_cast<float>(exponential_minus_one(v));
        return v > 0 ? v : negative;
      });
    case Function::selu:
      return map(x, y, n, [](float v) {
        const double positive = kSeluScale * v, negative = kSeluScale * kSeluAlpha * exponential_minus_one(v);
        return static_cast<float>(v > 0 ? positive : negative);
      });
    case Function::silu: return map(x, y, n, [](float v) { return static_cast<float>(v * logistic(v)); });
    case Function::gelu:
      for (std::int64_t i = 0; i < n; ++i) y[i] = static_cast<float>(x[i] * normal_cdf(x[i]));
      return;
    case Function::softplus:  // max(x, 0) + log(1 + e^-|x|)
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = x[i];
        y[i] = static_cast<float>((v < 0 ? 0 : v) + std::log1p(std::exp(-std::abs(v))));
      }
      return;
  }
}

// The derivative from the output y.
LOCKSTEP_CLONES void gradient_from_output(Function function, const float* y, const float* dy, float* dx, std::int64_t n) {
  switch (function) {
    case Function::relu: return map(y, dy, dx, n, [](float v, float d) { return v > 0 ? d : 0.0F; });
    case Function::leaky_relu: return map(y, dy, dx, n, [](float v, float d) { return v > 0 ? d : kLeakySlope * d; });
    case Function::sigmoid: return map(y, dy, dx, n, [](float v, float d) { return d * v * (1 - v); });
    case Function::tanh: return map(y, dy, dx, n, [](float v, float d) { return d * (1 - v) * (1 + v); });
    case Function::elu: return map(y, dy, dx, n, [](float v, float d) { return v > 0 ? d : d * (v + 1); });
    case Function::selu:
      return map(y, dy, dx, n, [](float v, float d) { return static_cast<float>(d * (v > 0 ? kSeluScale : v + kSeluScale * kSeluAlpha)); });
    case Function::softplus:  // y' = sigmoid(x) = 1 - e^-y
      return map(y, dy, dx, n, [](float v, float d) { return static_cast<float>(-d * exponential_minus_one(-v)); });
    default: return map(dy, dx, n, [](float d) { return d; });
  }
}

// The derivative from the pre-activation x.
LOCKSTEP_CLONES void gradient_from_input(Function function, const float* x, const float* dy, float* dx, std::int64_t n) {
  if (function == Function::silu) {
    return map(x, dy, dx, n, [](float v, float d) {
      const double s = logistic(v);
      return static_cast<float>(d * s * (1 + v * (1 - s)));
    });
  }
  for (std::int64_t i = 0; i < n; ++i) {  // gelu: cdf + x pdf
    const double v = x[i];
    const double density = std::exp(-0.5 * v * v) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
    dx[i] = static_cast<float>(dy[i] * (normal_cdf(v) + v * density));
  }
}

// dx = y (dy - sum(dy y)) per row.
LOCKSTEP_CLONES void softmax_gradient(const float* y, const float* dy, float* dx, std::int64_t rows, std::int64_t width) {
  for (std::int64_t r = 0; r < rows; ++r, y += width, dy += width, dx += width) {
    const double dot = sum(y, dy, width, [](float v, float d) { return static_cast<double>(v) * d; });
    map(y, dy, dx, width, [dot](float v, float d) { return static_cast<float>(v * (d - dot)); });
  }
}

}  // namespace

LOCKSTEP_CLONES void softmax_rows(const float* x, float* y, std::int64_t rows, std::int64_t width, double* log_sum) {
  constexpr std::int64_t kLanes = 16;
  for (std::int64_t r = 0; r < rows; ++r, x += width, y += width) {
    std::int64_t largest = 0;
    for (std::int64_t k = 1; k < width; ++k) largest = x[k] > x[largest] ? k : largest;
    const double top = x[largest];
    // Sixteen at a time, the last ones padded by -inf, whose e^x is 0: one code path of full vectors for narrow and wide rows.
    double others[kLanes] = {};  // sum without the largest: its log1p keeps what a sum near 1 would lose
    for (std::int64_t first = 0; first < width; first += kLanes) {
      const std::int64_t count = std::min(kLanes, width - first);
      float block[kLanes];
      std::fill_n(block, kLanes, -std::numeric_limits<float>::infinity());
      std::copy_n(x + first, count, block);
      map(block, block, kLanes, [top](float v) { return static_cast<float>(exponential(v - top)); });
      std::copy_n(block, count, y + first);
      if (largest >= first && largest < first + count) block[largest - first] = 0;
#pragma omp simd
      for (std::int64_t lane = 0; lane < kLanes; ++lane) others[lane] += block[lane];
    }
    const double rest = sum_lanes(others);
    const double one = y[largest];  // or NaN
    const double whole = rest + one;
    map(y, y, width, [whole](float v) { return static_cast<float>(v / whole); });
    if (log_sum != nullptr) log_sum[r] = std::log1p(rest + (one - 1));
  }
}

std::string_view name_of(ActivationFunction function) {
  for (const auto& [name, known] : kNames) {
    if (known == function) return name;
  }
  throw Error("not an activation: " + std::to_string(static_cast<int>(function)));
}

ActivationFunction activation_from_name(std::string_view name) {
  std::string known;
  for (const auto& [text, function] : kNames) {
    if (text == name) return function;
    known += (known.empty() ? "" : ", ") + std::string(text);
  }
  throw Error("unknown activation '" + std::string(name) + "'; known are " + known, kUsage);
}

bool derivative_from_output(ActivationFunction function) { return function != Function::gelu && function != Function::silu; }

void activate(ActivationFunction function, const float* x, float* y, std::int64_t rows, std::int64_t width) {
  if (function == Function::softmax) return softmax_rows(x, y, rows, width, nullptr);
  if (function == Function::linear && x == y) return;
  elementwise(function, x, y, rows * width);
}

void activation_gradient(ActivationFunction function, const float* x, const float* y, const float* dy, float* dx, std::int64_t rows,
                         std::int64_t width) {
  if (function == Function::softmax) return softmax_gradient(y, dy, dx, rows, width);
  if (function == Function::linear && dx == dy) return;
  if (derivative_from_output(function)) return gradient_from_output(function, y, dy, dx, rows * width);
  gradient_from_input(function, x, dy, dx, rows * width);
}

}  // namespace lockstep
