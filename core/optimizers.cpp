#include "core/optimizers.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cmath>

#include "cluster/clones.h"
#include "core/names.h"

namespace lockstep {
namespace {

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

const std::array<std::pair<const char*, OptimizerSpec>, 4> kNames = {{{"sgd", Sgd{}}, {"adam", Adam{}}, {"adamw", AdamW{}}, {"rmsprop", RMSprop{}}}};
constexpr std::array<const char*, 4> kClasses = {"SGD", "Adam", "AdamW", "RMSprop"};  // in the order of OptimizerSpec

const OptimizerOptions& options(const OptimizerSpec& spec) {
  return std::visit([](const auto& s) -> const OptimizerOptions& { return s.options; }, spec);
}

void check(bool right, const OptimizerSpec& spec, const char* what, float found) {
  if (!right) throw Error("optimizer " + class_name(spec) + ": " + what + ", found " + std::to_string(found), kUsage);
}

void check_fraction(const OptimizerSpec& spec, const char* what, float value) { check(value >= 0 && value < 1, spec, what, value); }

void check(const OptimizerSpec& spec) {
  const float rate = learning_rate(spec);
  check(std::isfinite(rate) && rate >= 0, spec, "learning_rate must be a number >= 0", rate);
  const OptimizerOptions& o = options(spec);
  for (const float value : {o.weight_decay, o.clipnorm, o.clipvalue, o.global_clipnorm}) {
    check(std::isfinite(value) && value >= 0, spec, "weight_decay, clipnorm, clipvalue and global_clipnorm must be >= 0", value);
  }
  if ((o.clipnorm > 0) + (o.clipvalue > 0) + (o.global_clipnorm > 0) > 1) {
    throw Error("optimizer " + class_name(spec) + ": only one of clipnorm, clipvalue and global_clipnorm can be set", kUsage);
  }
  std::visit(Overloaded{[&](const Sgd& s) { check(s.momentum >= 0 && s.momentum <= 1, spec, "momentum must lie in [0, 1]", s.momentum); },
                        [&](const RMSprop& s) {
                          check_fraction(spec, "rho must lie in [0, 1)", s.rho);
                          check_fraction(spec, "momentum must lie in [0, 1)", s.momentum);
                        },
                        [&](const auto& s) {
                          check_fraction(spec, "beta_1 must lie in [0, 1)", s.beta_1);
                          check_fraction(spec, "beta_2 must lie in [0, 1)", s.beta_2);
                        }},
             spec);
}

std::vector<std::string> slot_names(const OptimizerSpec& spec) {
  return std::visit(Overloaded{[](const Sgd& s) { return s.momentum > 0 ? std::vector<std::string>{"momentum"} : std::vector<std::string>{}; },
                               [](const RMSprop& s) {
                                 std::vector<std::string> names{"velocity"};
                                 if (s.momentum > 0) names.emplace_back("momentum");
                                 if (s.centered) names.emplace_back("average_gradient");
                                 return names;
                               },
                               [](const auto& adam) {
                                 std::vector<std::string> names{"momentum", "velocity"};
                                 if (adam.amsgrad) names.emplace_back("velocity_hat");
                                 return names;
                               }},
                    spec);
}

// --- one pass over the flat buffers each; n floats ---

LOCKSTEP_CLONES void scale(float* x, std::int64_t n, float factor) {
  for (std::int64_t i = 0; i < n; ++i) x[i] *= factor;
}

LOCKSTEP_CLONES void clamp(float* x, std::int64_t n, float limit) {
  for (std::int64_t i = 0; i < n; ++i) x[i] = x[i] > limit ? limit : x[i] < -limit ? -limit : x[i];
}

LOCKSTEP_CLONES void sgd(float* __restrict w, const float* __restrict g, std::int64_t n, float rate) {
  for (std::int64_t i = 0; i < n; ++i) w[i] -= rate * g[i];
}

LOCKSTEP_CLONES void sgd_momentum(float* __restrict w, const float* __restrict g, float* __restrict m, std::int64_t n, float rate, float mu, bool nesterov) {
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] = mu * m[i] - rate * g[i];
    w[i] += nesterov ? mu * m[i] - rate * g[i] : m[i];
  }
}

LOCKSTEP_CLONES void adam(float* __restrict w, const float* __restrict g, float* __restrict m, float* __restrict v, std::int64_t n, float alpha, float rest_1,
                          float rest_2, float epsilon) {
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] += (g[i] - m[i]) * rest_1;
    v[i] += (g[i] * g[i] - v[i]) * rest_2;
    w[i] -= m[i] * alpha / (std::sqrt(v[i]) + epsilon);
  }
}

LOCKSTEP_CLONES void amsgrad(float* __restrict w, const float* __restrict g, float* __restrict m, float* __restrict v, float* __restrict hat, std::int64_t n,
                             float alpha, float rest_1, float rest_2, float epsilon) {
  for (std::int64_t i = 0; i < n; ++i) {
    m[i] += (g[i] - m[i]) * rest_1;
    v[i] += (g[i] * g[i] - v[i]) * rest_2;
    hat[i] = hat[i] > v[i] ? hat[i] : v[i];
    w[i] -= m[i] * alpha / (std::sqrt(hat[i]) + epsilon);
  }
}

/// mean and momentum may be null: not centered, no momentum.
LOCKSTEP_CLONES void rmsprop(float* __restrict w, const float* __restrict g, float* __restrict v, float* __restrict momentum, float* __restrict mean,
                             std::int64_t n, const RMSprop& s, float rate) {
  for (std::int64_t i = 0; i < n; ++i) {
    v[i] = s.rho * v[i] + (1 - s.rho) * g[i] * g[i];
    float denominator = v[i] + s.epsilon;
    if (mean != nullptr) {
      mean[i] = s.rho * mean[i] + (1 - s.rho) * g[i];
      denominator = v[i] - mean[i] * mean[i] + s.epsilon;
    }
    float increment = rate * g[i] / std::sqrt(denominator);
    if (momentum != nullptr) increment = momentum[i] = s.momentum * momentum[i] + increment;
    w[i] -= increment;
  }
}

constexpr std::int64_t kBlock = 1 << 16;  // partial sums of fixed blocks: the same norm however the buffer is cut

double sum_of_squares(const float* x, std::int64_t n) {
  double total = 0;
  for (std::int64_t at = 0; at < n; at += kBlock) {
    double block = 0;
    for (std::int64_t i = at; i < std::min(n, at + kBlock); ++i) block += static_cast<double>(x[i]) * x[i];
    total += block;
  }
  return total;
}

}  // namespace

OptimizerSpec optimizer_from_name(std::string_view name) {
  std::string lower(name);
  for (char& c : lower) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  for (const auto& [known, spec] : kNames) {
    if (lower == known) return spec;
  }
  throw unknown_name("optimizer", name, kNames);
}

std::string class_name(const OptimizerSpec& spec) { return kClasses[spec.index()]; }
float learning_rate(const OptimizerSpec& spec) {
  return std::visit([](const auto& s) { return s.learning_rate; }, spec);
}

Optimizer::Optimizer(const OptimizerSpec& spec, std::int64_t parameters, std::vector<VariableRange> variables)
    : spec_(spec), variables_(std::move(variables)), learning_rate_(lockstep::learning_rate(spec)) {
  check(spec);
  for (std::string& name : slot_names(spec)) slots_.push_back({std::move(name), Buffer(parameters)});
}

/// Keras: clipnorm g * c / max(||g||, c) per variable; global_clipnorm g * c * min(1 / N, 1 / c), so that a NaN or inf reaches all gradients.
void Optimizer::clip(std::span<float> gradients) const {
  const OptimizerOptions& o = options(spec_);
  const auto n = static_cast<std::int64_t>(gradients.size());
  if (o.clipvalue > 0) clamp(gradients.data(), n, o.clipvalue);
  for (const VariableRange& variable : variables_) {
    if (o.clipnorm <= 0) break;
    float* g = gradients.data() + variable.offset;
    const double norm = std::sqrt(sum_of_squares(g, variable.count));
    if (!(norm <= static_cast<double>(o.clipnorm))) scale(g, variable.count, static_cast<float>(static_cast<double>(o.clipnorm) / norm));
  }
  if (o.global_clipnorm > 0) {
    const double norm = std::sqrt(sum_of_squares(gradients.data(), n));
    if (!(norm <= static_cast<double>(o.global_clipnorm))) {
      scale(gradients.data(), n, std::isinf(norm) ? std::nanf("") : static_cast<float>(static_cast<double>(o.global_clipnorm) / norm));
    }
  }
}

void Optimizer::step(std::span<float> parameters, std::span<float> gradients) {
  clip(gradients);
  const auto n = static_cast<std::int64_t>(parameters.size());
  float* w = parameters.data();
  const float* g = gradients.data();
  const float rate = learning_rate_, decay = options(spec_).weight_decay;
  if (decay > 0) scale(w, n, 1 - decay * rate);
  const auto t = static_cast<float>(iterations_ + 1);
  const auto slot = [&](std::size_t i) { return slots_[i].values.data(); };
  const auto step_adam = [&](const auto& s) {
    // float32 all the way, as Keras computes it.
    const float alpha = rate * std::sqrt(1 - std::pow(s.beta_2, t)) / (1 - std::pow(s.beta_1, t));
    if (s.amsgrad) return amsgrad(w, g, slot(0), slot(1), slot(2), n, alpha, 1 - s.beta_1, 1 - s.beta_2, s.epsilon);
    adam(w, g, slot(0), slot(1), n, alpha, 1 - s.beta_1, 1 - s.beta_2, s.epsilon);
  };
  std::visit(Overloaded{[&](const Sgd& s) {
                          if (s.momentum > 0) return sgd_momentum(w, g, slot(0), n, rate, s.momentum, s.nesterov);
                          sgd(w, g, n, rate);
                        },
                        [&](const RMSprop& s) {
                          float* const momentum = s.momentum > 0 ? slot(1) : nullptr;
                          rmsprop(w, g, slot(0), momentum, s.centered ? slot(s.momentum > 0 ? 2 : 1) : nullptr, n, s, rate);
                        },
                        [&](const auto& s) { step_adam(s); }},
             spec_);
  ++iterations_;
}

}  // namespace lockstep
