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
constexpr float kShrink = 0.5F;

constexpr std::array<std::pair<std::string_view, Function>, 29> kNames = {{{"linear", Function::linear},
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
                                                                           {"relu6", Function::relu6},
                                                                           {"celu", Function::celu},
                                                                           {"log_sigmoid", Function::log_sigmoid},
                                                                           {"log_softmax", Function::log_softmax},
                                                                           {"exponential", Function::exponential},
                                                                           {"softsign", Function::softsign},
                                                                           {"hard_sigmoid", Function::hard_sigmoid},
                                                                           {"hard_silu", Function::hard_silu},
                                                                           {"hard_tanh", Function::hard_tanh},
                                                                           {"mish", Function::mish},
                                                                           {"squareplus", Function::squareplus},
                                                                           {"sparse_plus", Function::sparse_plus},
                                                                           {"sparse_sigmoid", Function::sparse_sigmoid},
                                                                           {"soft_shrink", Function::soft_shrink},
                                                                           {"hard_shrink", Function::hard_shrink},
                                                                           {"tanh_shrink", Function::tanh_shrink},
                                                                           {"swish", Function::silu},
                                                                           {"hard_swish", Function::hard_silu}}};

// Bounds are compared so that NaN stays NaN.
[[gnu::always_inline]] inline float clipped(float x, float least, float most) { return x < least ? least : x > most ? most : x; }

[[gnu::always_inline]] inline double hard_sigmoid_of(double x) {
  const double y = x / 6 + 0.5;
  return y < 0 ? 0 : y > 1 ? 1 : y;
}

/// tanh(softplus(x)) = (e^2x + 2 e^x) / (e^2x + 2 e^x + 2), by e^-|x|, which does not overflow.
[[gnu::always_inline]] inline double tanh_of_softplus(double x) {
  const double e = exponential_of(x < 0 ? x : -x);
  const double numerator = x < 0 ? e * (e + 2) : 1 + 2 * e;
  return numerator / (numerator + (x < 0 ? 2 : 2 * e * e));
}

/// x - tanh x, near 0 by its series.
[[gnu::always_inline]] inline double without_tanh(double x) {
  const double square = x * x;
  const double series = x * square * (1.0 / 3 - square * (2.0 / 15 - square * (17.0 / 315 - square * (62.0 / 2835))));
  const double direct = x - hyperbolic_tangent(x);
  return square < 0.01 ? series : direct;
}

double normal_cdf(double x) { return 0.5 * std::erfc(-x * std::numbers::sqrt2 / 2); }

LOCKSTEP_CLONES void elementwise(Function function, const float* x, float* y, std::int64_t n) {
  switch (function) {
    case Function::linear:
    case Function::softmax:  // of whole rows, not sent here
    case Function::log_softmax: return map(x, y, n, [](float v) { return v; });
    case Function::relu:  // written so that NaN stays NaN
      return map(x, y, n, [](float v) { return v < 0 ? 0.0F : v; });
    case Function::leaky_relu: return map(x, y, n, [](float v) { return v < 0 ? kLeakySlope * v : v; });
    case Function::sigmoid: return map(x, y, n, [](float v) { return static_cast<float>(logistic(v)); });
    case Function::tanh: return map(x, y, n, [](float v) { return static_cast<float>(hyperbolic_tangent(v)); });
    case Function::elu:
    case Function::celu:
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
    case Function::softplus: return map(x, y, n, [](float v) { return static_cast<float>(softplus_of(v)); });
    case Function::relu6: return map(x, y, n, [](float v) { return clipped(v, 0, 6); });
    case Function::log_sigmoid: return map(x, y, n, [](float v) { return static_cast<float>(-softplus_of(-static_cast<double>(v))); });
    case Function::exponential: return map(x, y, n, [](float v) { return static_cast<float>(exponential_of(v)); });
    case Function::softsign: return map(x, y, n, [](float v) { return static_cast<float>(v / (1.0 + std::abs(v))); });
    case Function::hard_sigmoid: return map(x, y, n, [](float v) { return static_cast<float>(hard_sigmoid_of(v)); });
    case Function::hard_silu: return map(x, y, n, [](float v) { return static_cast<float>(v * hard_sigmoid_of(v)); });
    case Function::hard_tanh: return map(x, y, n, [](float v) { return clipped(v, -1, 1); });
    case Function::mish: return map(x, y, n, [](float v) { return static_cast<float>(v * tanh_of_softplus(v)); });
    case Function::squareplus:
      return map(x, y, n, [](float v) {
        const double wide = v, root = std::sqrt(wide * wide + 4);
        return static_cast<float>(wide < 0 ? 2 / (root - wide) : (root + wide) / 2);
      });
    case Function::sparse_plus:
      return map(x, y, n, [](float v) {
        const double within = v < -1 ? 0 : v + 1.0;
        return v < 1 ? static_cast<float>(within * within / 4) : v;
      });
    case Function::sparse_sigmoid: return map(x, y, n, [](float v) { return clipped(static_cast<float>((v + 1.0) / 2), 0, 1); });
    case Function::soft_shrink: return map(x, y, n, [](float v) { return v - clipped(v, -kShrink, kShrink); });
    case Function::hard_shrink: return map(x, y, n, [](float v) { return std::abs(v) <= kShrink ? 0.0F : v; });
    case Function::tanh_shrink: return map(x, y, n, [](float v) { return static_cast<float>(without_tanh(v)); });
  }
}

// The derivative from the output y.
LOCKSTEP_CLONES void gradient_from_output(Function function, const float* y, const float* dy, float* dx, std::int64_t n) {
  switch (function) {
    case Function::relu: return map(y, dy, dx, n, [](float v, float d) { return v > 0 ? d : 0.0F; });
    case Function::leaky_relu: return map(y, dy, dx, n, [](float v, float d) { return v < 0 ? kLeakySlope * d : d; });
    case Function::sigmoid: return map(y, dy, dx, n, [](float v, float d) { return d * v * (1 - v); });
    case Function::tanh: return map(y, dy, dx, n, [](float v, float d) { return d * (1 - v) * (1 + v); });
    case Function::elu:
    case Function::celu: return map(y, dy, dx, n, [](float v, float d) { return v > 0 ? d : d * (v + 1); });
    case Function::selu:
      return map(y, dy, dx, n, [](float v, float d) { return static_cast<float>(d * (v > 0 ? kSeluScale : v + kSeluScale * kSeluAlpha)); });
    case Function::softplus:  // y' = sigmoid(x) = 1 - e^-y
      return map(y, dy, dx, n, [](float v, float d) { return static_cast<float>(-d * exponential_minus_one(-v)); });
    case Function::relu6: return map(y, dy, dx, n, [](float v, float d) { return v > 0 && v < 6 ? d : 0.0F; });
    case Function::log_sigmoid:  // y' = sigmoid(-x) = 1 - e^y
      return map(y, dy, dx, n, [](float v, float d) { return static_cast<float>(-d * exponential_minus_one(v)); });
    case Function::exponential: return map(y, dy, dx, n, [](float v, float d) { return d * v; });
    case Function::softsign: return map(y, dy, dx, n, [](float v, float d) { return d * (1 - std::abs(v)) * (1 - std::abs(v)); });
    case Function::hard_sigmoid: return map(y, dy, dx, n, [](float v, float d) { return v > 0 && v < 1 ? d / 6 : 0.0F; });
    case Function::hard_tanh: return map(y, dy, dx, n, [](float v, float d) { return v > -1 && v < 1 ? d : 0.0F; });
    case Function::squareplus:  // x = y - 1/y, y' = y / (y + 1/y)
      return map(y, dy, dx, n, [](float v, float d) {
        const double square = static_cast<double>(v) * v;
        return static_cast<float>(d * (square > 1 ? 1 / (1 + 1 / square) : square / (square + 1)));
      });
    case Function::sparse_plus: return map(y, dy, dx, n, [](float v, float d) { return v < 1 ? d * std::sqrt(v) : d; });
    case Function::sparse_sigmoid: return map(y, dy, dx, n, [](float v, float d) { return v > 0 && v < 1 ? d / 2 : 0.0F; });
    case Function::soft_shrink:
    case Function::hard_shrink: return map(y, dy, dx, n, [](float v, float d) { return v != 0 ? d : 0.0F; });
    default: return map(dy, dx, n, [](float d) { return d; });
  }
}

// The derivative from the pre-activation x.
LOCKSTEP_CLONES void gradient_from_input(Function function, const float* x, const float* dy, float* dx, std::int64_t n) {
  switch (function) {
    case Function::silu:
      return map(x, dy, dx, n, [](float v, float d) {
        const double s = logistic(v);
        return static_cast<float>(d * s * (1 + v * (1 - s)));
      });
    case Function::hard_silu:
      return map(x, dy, dx, n, [](float v, float d) {
        const double s = hard_sigmoid_of(v);
        return static_cast<float>(d * (s > 0 && s < 1 ? s + v / 6.0 : s));
      });
    case Function::mish:
      return map(x, dy, dx, n, [](float v, float d) {
        const double t = tanh_of_softplus(v);
        return static_cast<float>(d * (t + v * (1 - t) * (1 + t) * logistic(v)));
      });
    case Function::tanh_shrink:
      return map(x, dy, dx, n, [](float v, float d) {
        const double t = hyperbolic_tangent(v);
        return static_cast<float>(d * t * t);
      });
    default:  // gelu: cdf + x pdf
      for (std::int64_t i = 0; i < n; ++i) {
        const double v = x[i];
        const double density = std::exp(-0.5 * v * v) * std::numbers::inv_sqrtpi / std::numbers::sqrt2;
        dx[i] = static_cast<float>(dy[i] * (normal_cdf(v) + v * density));
      }
  }
}

// dx = y (dy - sum(dy y)) per row.
LOCKSTEP_CLONES void softmax_gradient(const float* y, const float* dy, float* dx, std::int64_t rows, std::int64_t width) {
  for (std::int64_t r = 0; r < rows; ++r, y += width, dy += width, dx += width) {
    const double dot = sum(y, dy, width, [](float v, float d) { return static_cast<double>(v) * d; });
    map(y, dy, dx, width, [dot](float v, float d) { return static_cast<float>(v * (d - dot)); });
  }
}

LOCKSTEP_CLONES void log_softmax_rows(const float* x, float* y, std::int64_t rows, std::int64_t width) {
  for (std::int64_t r = 0; r < rows; ++r, x += width, y += width) {
    float top = x[0];
    for (std::int64_t k = 1; k < width; ++k) top = x[k] > top ? x[k] : top;
    const double largest = top;
    const double log_sum = std::log(sum(x, x, width, [largest](float v, float) { return exponential_of(v - largest); }));
    map(x, y, width, [largest, log_sum](float v) { return static_cast<float>(v - largest - log_sum); });
  }
}

// dx = dy - e^y sum(dy) per row.
LOCKSTEP_CLONES void log_softmax_gradient(const float* y, const float* dy, float* dx, std::int64_t rows, std::int64_t width) {
  for (std::int64_t r = 0; r < rows; ++r, y += width, dy += width, dx += width) {
    const double total = sum(dy, dy, width, [](float d, float) { return static_cast<double>(d); });
    map(y, dy, dx, width, [total](float v, float d) { return static_cast<float>(d - exponential_of(v) * total); });
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
      map(block, block, kLanes, [top](float v) { return static_cast<float>(exponential_of(v - top)); });
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

bool derivative_from_output(ActivationFunction function) {
  constexpr std::array kFromInput = {Function::gelu, Function::silu, Function::hard_silu, Function::mish, Function::tanh_shrink};
  return std::find(kFromInput.begin(), kFromInput.end(), function) == kFromInput.end();
}

void activate(ActivationFunction function, const float* x, float* y, std::int64_t rows, std::int64_t width) {
  if (function == Function::softmax) return softmax_rows(x, y, rows, width, nullptr);
  if (function == Function::log_softmax) return log_softmax_rows(x, y, rows, width);
  if (function == Function::linear && x == y) return;
  elementwise(function, x, y, rows * width);
}

void activation_gradient(ActivationFunction function, const float* x, const float* y, const float* dy, float* dx, std::int64_t rows,
                         std::int64_t width) {
  if (function == Function::softmax) return softmax_gradient(y, dy, dx, rows, width);
  if (function == Function::log_softmax) return log_softmax_gradient(y, dy, dx, rows, width);
  if (function == Function::linear && dx == dy) return;
  if (derivative_from_output(function)) return gradient_from_output(function, y, dy, dx, rows * width);
  gradient_from_input(function, x, dy, dx, rows * width);
}

}  // namespace lockstep
