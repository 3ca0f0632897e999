#include "core/compile/schedules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "cluster/error.h"
#include "core/math/decimal.h"

namespace lockstep {
namespace {

constexpr float kPi = std::numbers::pi_v<float>;

float whole(float periods, bool staircase) { return staircase ? std::floor(periods) : periods; }

float rate_at(const ExponentialDecay& decay, float step) {
  return decay.initial_learning_rate * std::pow(decay.decay_rate, whole(step / decay.decay_steps, decay.staircase));
}

float rate_at(const InverseTimeDecay& decay, float step) {
  return decay.initial_learning_rate / (1 + decay.decay_rate * whole(step / decay.decay_steps, decay.staircase));
}

float rate_at(const PolynomialDecay& decay, float step) {
  float steps = decay.decay_steps;
  if (!decay.cycle) {
    step = std::min(step, steps);
  } else if (step > 0) {
    steps *= std::ceil(step / steps);
  }
  return (decay.initial_learning_rate - decay.end_learning_rate) * std::pow(1 - step / steps, decay.power) + decay.end_learning_rate;
}

float rate_at(const CosineDecay& decay, float step) {
  const bool warm = decay.warmup_target.has_value();
  const float first = warm ? decay.warmup_steps : 0, from = decay.warmup_target.value_or(decay.initial_learning_rate);
  step = std::min(step, decay.decay_steps + first);
  if (step < first) return (from - decay.initial_learning_rate) * (step / first) + decay.initial_learning_rate;
  const float cosine = 0.5F * (1 + std::cos(kPi * ((step - first) / decay.decay_steps)));
  return from * (one_minus(decay.alpha) * cosine + decay.alpha);
}

float rate_at(const CosineDecayRestarts& decay, float step) {
  const float t = decay.t_mul;
  float fraction = step / decay.first_decay_steps, restarts = std::floor(fraction);
  if (t == 1) {
    fraction -= restarts;
  } else {
    restarts = std::floor(std::log(1 - fraction * (1 - t)) / std::log(t));
    const float length = std::pow(t, restarts);
    fraction = (fraction - (1 - length) / (1 - t)) / length;
  }
  const float cosine = 0.5F * std::pow(decay.m_mul, restarts) * (1 + std::cos(kPi * fraction));
  return decay.initial_learning_rate * ((1 - decay.alpha) * cosine + decay.alpha);
}

float constant_at(const PiecewiseConstantDecay& decay, std::int64_t step) {
  const auto passed = std::lower_bound(decay.boundaries.begin(), decay.boundaries.end(), step) - decay.boundaries.begin();
  return decay.values.values[static_cast<std::size_t>(passed)];
}

void check_pieces(const PiecewiseConstantDecay& decay) {
  if (decay.values.shape.size() > 1 || decay.boundaries.empty() || decay.values.values.size() != decay.boundaries.size() + 1) {
    throw Error(fmt::format("PiecewiseConstantDecay: there are {} boundaries and {} values; give at least one boundary, and one value more "
                            "than boundaries",
                            decay.boundaries.size(), decay.values.values.size()),
                kUsage);
  }
  if (!std::is_sorted(decay.boundaries.begin(), decay.boundaries.end()))
    throw Error(fmt::format("PiecewiseConstantDecay: the boundaries are {}, they must increase", fmt::join(decay.boundaries, ", ")),
                kUsage);
}

}  // namespace

float LearningRate::at(std::int64_t step) const {
  if (!kind) return number;
  return std::visit(Overloaded{[&](const PiecewiseConstantDecay& decay) { return constant_at(decay, step); },
                               [&](const auto& decay) { return rate_at(decay, static_cast<float>(step)); }},
                    *kind);
}

void check(const LearningRate& rate) {
  if (!rate.kind) return;
  if (const auto* pieces = std::get_if<PiecewiseConstantDecay>(&*rate.kind)) check_pieces(*pieces);
}

}  // namespace lockstep
