#include "core/compile/optimizers.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "cluster/clones.h"
#include "cluster/error.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

const OptimizerOptions& options_of(const OptimizerSpec& spec) {
  return std::visit([](const auto& one) -> const OptimizerOptions& { return one.options; }, spec);
}

// 1 - beta as Keras has it: from the decimal the user wrote (0.999), not from the float nearest to it, which makes 1.3e-5 of difference
// here.
float one_minus(float beta) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), beta).ptr;
  double written = 0;
  std::from_chars(text, end, written);
  return static_cast<float>(1 - written);
}

std::vector<std::string> slot_names(const Sgd& sgd) {
  return sgd.momentum != 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{};
}
std::vector<std::string> adam_slot_names(bool amsgrad) {
  std::vector<std::string> names = {"momentum", "velocity"};
  if (amsgrad) names.emplace_back("velocity_hat");
  return names;
}
std::vector<std::string> slot_names(const Adam& adam) { return adam_slot_names(adam.amsgrad); }
std::vector<std::string> slot_names(const AdamW& adam) { return adam_slot_names(adam.amsgrad); }
std::vector<std::string> slot_names(const Lion& /*lion*/) { return {"momentum"}; }
std::vector<std::string> slot_names(const RMSprop& rmsprop) {
  std::vector<std::string> names = {"velocity"};
  if (rmsprop.momentum > 0) names.emplace_back("momentum");
  if (rmsprop.centered) names.emplace_back("average_gradient");
  return names;
}

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

/// g = min(max(g, -limit), limit); NaN stays NaN.
LOCKSTEP_CLONES void clip_values(float* g, std::int64_t count, float limit) {
  map(g, g, count, [limit](float v) { return v < -limit ? -limit : v > limit ? limit : v; });
}

/// g *= factor.
LOCKSTEP_CLONES void scale_values(float* g, std::int64_t count, double factor) {
  map(g, g, count, [factor](float v) { return static_cast<float>(v * factor); });
}

/// Sum of g^2 over a range of the flat buffer in double: per block of kBlock, then block after block, whatever the number of threads.
double sum_of_squares(const float* flat, VariableRange range) {
  constexpr std::int64_t kGroup = 64;  // block sums kept on the stack at a time
  const std::int64_t last = range.offset + range.count;
  const std::int64_t block_end = (last + kBlock - 1) / kBlock;
  double total = 0;
  for (std::int64_t group = range.offset / kBlock; group < block_end; group += kGroup) {
    const std::int64_t blocks = std::min(kGroup, block_end - group);
    double block_sum[kGroup];
    for (std::int64_t b = 0; b < blocks; ++b) {
      const std::int64_t first = std::max(range.offset, (group + b) * kBlock);
      block_sum[b] = block_sum_of_squares(flat + first, std::min(last, (group + b + 1) * kBlock) - first);
    }
    for (std::int64_t b = 0; b < blocks; ++b) total += block_sum[b];
  }
  return total;
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

/// The update of one step, by the kind of optimizer.
class Update {
 public:
  Update(float* parameters, const float* gradients, VariableRange range, const std::vector<OptimizerSlot>& slots, std::int64_t t,
         float learning_rate)
      : w_(parameters + range.offset),
        g_(gradients + range.offset),
        offset_(range.offset),
        count_(range.count),
        slots_(slots),
        t_(static_cast<float>(t)),
        learning_rate_(learning_rate) {}

  void operator()(const Sgd& sgd) const {
    const SgdStep step{learning_rate_, sgd.options.weight_decay, sgd.momentum, sgd.nesterov};
    float* const m = sgd.momentum != 0 ? slot(0) : nullptr;
    for_blocks(count_, [=, this](std::int64_t first, std::int64_t n) { sgd_step(w_ + first, g_ + first, from(m, first), n, step); });
  }
  void operator()(const Adam& adam) const { adam_update(adam); }
  void operator()(const AdamW& adam) const { adam_update(adam); }
  void operator()(const RMSprop& rmsprop) const {
    const RmspropStep step{learning_rate_, rmsprop.options.weight_decay, rmsprop.rho, one_minus(rmsprop.rho), rmsprop.momentum,
                           rmsprop.epsilon};
    const bool has_momentum = rmsprop.momentum > 0;
    float *const v = slot(0), *const m = has_momentum ? slot(1) : nullptr,
                 *const mean = rmsprop.centered ? slot(has_momentum ? 2 : 1) : nullptr;
    for_blocks(count_, [=, this](std::int64_t first, std::int64_t n) {
      rmsprop_step(w_ + first, g_ + first, v + first, from(m, first), from(mean, first), n, step);
    });
  }
  void operator()(const Lion& lion) const {
    const LionStep step{learning_rate_, lion.options.weight_decay, lion.beta_1, one_minus(lion.beta_1),
                        lion.beta_2,    one_minus(lion.beta_2)};
    float* const m = slot(0);
    for_blocks(count_, [=, this](std::int64_t first, std::int64_t n) { lion_step(w_ + first, g_ + first, m + first, n, step); });
  }

 private:
  template <typename AnyAdam>
  void adam_update(const AnyAdam& adam) const {
    const float alpha = learning_rate_ * std::sqrt(1 - std::pow(adam.beta_2, t_)) / (1 - std::pow(adam.beta_1, t_));
    const AdamStep step{learning_rate_, adam.options.weight_decay, alpha, one_minus(adam.beta_1), one_minus(adam.beta_2), adam.epsilon};
    float *const m = slot(0), *const v = slot(1), *const v_hat = adam.amsgrad ? slot(2) : nullptr;
    for_blocks(count_, [=, this](std::int64_t first, std::int64_t n) {
      adam_step(w_ + first, g_ + first, m + first, v + first, from(v_hat, first), n, step);
    });
  }
  float* slot(std::size_t index) const { return const_cast<float*>(slots_[index].values.data()) + offset_; }
  static float* from(float* values, std::int64_t first) { return values == nullptr ? nullptr : values + first; }

  float* w_;
  const float* g_;
  std::int64_t offset_, count_;
  const std::vector<OptimizerSlot>& slots_;
  float t_;
  float learning_rate_;
};

}  // namespace

OptimizerSpec optimizer_from_name(std::string_view name) {
  std::string lower(name);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  if (const auto found = alternative_called<OptimizerSpec>(lower)) return *found;
  throw Error(fmt::format("unknown optimizer '{}'; known are {}", name, known_names<OptimizerSpec>()), kUsage);
}

std::string class_name(const OptimizerSpec& spec) { return std::string(kind_of(spec).class_name); }

void check(const OptimizerSpec& spec) {
  std::visit([&](const auto& one) { fields(one, BoundsCheck(class_name(spec))); }, spec);
  const OptimizerOptions& options = options_of(spec);
  if ((options.clipnorm > 0) + (options.clipvalue > 0) + (options.global_clipnorm > 0) <= 1) return;
  throw Error(fmt::format("{}: only one of clipnorm ({}), clipvalue ({}) and global_clipnorm ({}) can be set", class_name(spec),
                          options.clipnorm, options.clipvalue, options.global_clipnorm),
              kUsage);
}

float learning_rate(const OptimizerSpec& spec) {
  return std::visit([](const auto& one) { return one.learning_rate; }, spec);
}

Optimizer::Optimizer(const OptimizerSpec& spec, std::int64_t parameters, std::vector<VariableRange> variables)
    : spec_(spec), variables_(std::move(variables)), factors_(variables_.size(), 1), learning_rate_(lockstep::learning_rate(spec)) {
  check(spec_);
  for (const auto& [offset, count] : variables_) {
    if (offset < 0 || count < 0 || offset + count > parameters) {
      throw Error(
          fmt::format("{}: variable at [{}, {}) lies outside the {} parameters", class_name(spec_), offset, offset + count, parameters));
    }
  }
  for (std::string& name : std::visit([](const auto& one) { return slot_names(one); }, spec_)) {
    slots_.push_back({std::move(name), Buffer(parameters)});
  }
}

void Optimizer::step(std::span<float> parameters, std::span<float> gradients) {
  const auto fits = [&](const OptimizerSlot& slot) { return slot.values.span().size() == parameters.size(); };
  if (parameters.size() != gradients.size() || !std::all_of(slots_.begin(), slots_.end(), fits)) {
    throw Error(fmt::format("{}: {} parameters and {} gradients do not fit the optimizer's state", class_name(spec_), parameters.size(),
                            gradients.size()));
  }
  measure(gradients);
  update(parameters, gradients, {0, static_cast<std::int64_t>(parameters.size())});
  count_step();
}

bool Optimizer::clips_by_norm() const { return options_of(spec_).clipnorm > 0 || options_of(spec_).global_clipnorm > 0; }

bool Optimizer::plain() const {
  const auto* sgd = std::get_if<Sgd>(&spec_);
  return sgd != nullptr && sgd->momentum == 0 && sgd->options.weight_decay == 0 && sgd->options.clipvalue == 0 && !clips_by_norm();
}

void Optimizer::place(const std::function<Buffer(std::int64_t)>& memory, bool keep) {
  for (OptimizerSlot& slot : slots_) {
    Buffer placed = memory(slot.values.size());
    if (!keep) std::copy_n(slot.values.data(), slot.values.size(), placed.data());
    slot.values = std::move(placed);
  }
}

// In double throughout, so that large gradients do not overflow. A gradient within the limit keeps its bits.
void Optimizer::measure(std::span<const float> gradients) {
  const OptimizerOptions& options = options_of(spec_);
  const float* const g = gradients.data();
  if (options.clipnorm > 0) {
    for (std::size_t i = 0; i < variables_.size();
         ++i) {  // an inf becomes NaN and the variable's other elements 0, a NaN spreads: as in Keras
      const double norm = std::sqrt(sum_of_squares(g, variables_[i]));
      factors_[i] = norm <= options.clipnorm ? 1 : options.clipnorm / norm;
    }
  } else if (options.global_clipnorm > 0) {
    double squares = 0;
    for (const VariableRange& range : variables_) squares += sum_of_squares(g, range);
    const double norm = std::sqrt(squares);
    // One NaN or inf makes every gradient NaN, as in Keras: a step from such gradients must not look like a step.
    const double shrunk = std::isfinite(norm) ? options.global_clipnorm / norm : std::numeric_limits<double>::quiet_NaN();
    std::fill(factors_.begin(), factors_.end(), norm <= options.global_clipnorm ? 1 : shrunk);
  }
}

void Optimizer::update(std::span<float> parameters, std::span<float> gradients, VariableRange range) const {
  clip(gradients.data(), range);
  std::visit(Update(parameters.data(), gradients.data(), range, slots_, iterations_ + 1, learning_rate_), spec_);
}

void Optimizer::clip(float* gradients, VariableRange range) const {
  const OptimizerOptions& options = options_of(spec_);
  if (options.clipvalue > 0) {
    for_blocks(range.count,
               [&](std::int64_t first, std::int64_t n) { clip_values(gradients + range.offset + first, n, options.clipvalue); });
  }
  if (!clips_by_norm()) return;
  for (std::size_t i = 0; i < variables_.size(); ++i) {
    const std::int64_t from = std::max(range.offset, variables_[i].offset);
    const std::int64_t count = std::min(range.offset + range.count, variables_[i].offset + variables_[i].count) - from;
    if (factors_[i] == 1 || count <= 0) continue;
    for_blocks(count, [&](std::int64_t first, std::int64_t n) { scale_values(gradients + from + first, n, factors_[i]); });
  }
}

}  // namespace lockstep
