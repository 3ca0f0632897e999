#pragma once
#include <cstdint>
#include <optional>
#include <utility>
#include <variant>
#include <vector>

#include "core/compile/kinds.h"
#include "core/data/numbers.h"

namespace lockstep {

// Learning rates that follow the number of steps done, Keras 3's (keras/src/optimizers/schedules). All arithmetic in float, as in Keras.
// Below, p = step / decay_steps.

/// initial decay_rate^p; `staircase`: p without its fraction.
struct ExponentialDecay {
  static constexpr Kind kKind = {.class_name = "ExponentialDecay"};
  float initial_learning_rate = 0;
  float decay_steps = 0;
  float decay_rate = 0;
  bool staircase = false;
};
/// values[i] from the step after boundaries[i - 1] up to boundaries[i]; one value more than boundaries.
struct PiecewiseConstantDecay {
  static constexpr Kind kKind = {.class_name = "PiecewiseConstantDecay"};
  std::vector<std::int64_t> boundaries = {};
  Numbers values = {};
};
/// (initial - end)(1 - p)^power + end, and the end from decay_steps on; `cycle`: decay_steps grows to its next multiple instead.
struct PolynomialDecay {
  static constexpr Kind kKind = {.class_name = "PolynomialDecay"};
  float initial_learning_rate = 0;
  float decay_steps = 0;
  float end_learning_rate = 0.0001F;
  float power = 1;
  bool cycle = false;
};
/// initial / (1 + decay_rate p); `staircase`: p without its fraction.
struct InverseTimeDecay {
  static constexpr Kind kKind = {.class_name = "InverseTimeDecay"};
  float initial_learning_rate = 0;
  float decay_steps = 0;
  float decay_rate = 0;
  bool staircase = false;
};
/// initial ((1 - alpha)(1 + cos(pi p)) / 2 + alpha), and alpha initial from decay_steps on. With `warmup_target` the rate first rises to it
/// in warmup_steps, in a line, and then decays from it.
struct CosineDecay {
  static constexpr Kind kKind = {.class_name = "CosineDecay"};
  float initial_learning_rate = 0;
  float decay_steps = 0;
  float alpha = 0;
  std::optional<float> warmup_target = {};
  float warmup_steps = 0;
};
/// CosineDecay that starts again after first_decay_steps; each period is t_mul times as long as the one before and starts at m_mul times
/// its rate.
struct CosineDecayRestarts {
  static constexpr Kind kKind = {.class_name = "CosineDecayRestarts"};
  float initial_learning_rate = 0;
  float first_decay_steps = 0;
  float t_mul = 2;
  float m_mul = 1;
  float alpha = 0;
};

template <class S, class Visit>
requires Is<S, ExponentialDecay> || Is<S, InverseTimeDecay>
void fields(S& decay, Visit&& visit) {
  visit(Field{.name = "initial_learning_rate", .bounds = at_least(0), .required = true}, decay.initial_learning_rate);
  visit(Field{.name = "decay_steps", .bounds = above(0), .required = true}, decay.decay_steps);
  visit(Field{.name = "decay_rate", .bounds = at_least(0), .required = true}, decay.decay_rate);
  visit(Field{"staircase"}, decay.staircase);
  visit(Ignored{"name"});
}
template <Is<PiecewiseConstantDecay> S, class Visit>
void fields(S& decay, Visit&& visit) {
  visit(Field{.name = "boundaries", .required = true}, decay.boundaries);
  visit(Field{.name = "values", .bounds = at_least(0), .required = true}, decay.values);
  visit(Ignored{"name"});
}
template <Is<PolynomialDecay> S, class Visit>
void fields(S& decay, Visit&& visit) {
  visit(Field{.name = "initial_learning_rate", .bounds = at_least(0), .required = true}, decay.initial_learning_rate);
  visit(Field{.name = "decay_steps", .bounds = above(0), .required = true}, decay.decay_steps);
  visit(Field{"end_learning_rate", at_least(0)}, decay.end_learning_rate);
  visit(Field{"power", at_least(0)}, decay.power);
  visit(Field{"cycle"}, decay.cycle);
  visit(Ignored{"name"});
}
template <Is<CosineDecay> S, class Visit>
void fields(S& decay, Visit&& visit) {
  visit(Field{.name = "initial_learning_rate", .bounds = at_least(0), .required = true}, decay.initial_learning_rate);
  visit(Field{.name = "decay_steps", .bounds = above(0), .required = true}, decay.decay_steps);
  visit(Field{"alpha", between(0, 1)}, decay.alpha);
  visit(Field{"warmup_target", at_least(0)}, decay.warmup_target);
  visit(Field{"warmup_steps", at_least(0)}, decay.warmup_steps);
  visit(Ignored{"name"});
}
template <Is<CosineDecayRestarts> S, class Visit>
void fields(S& decay, Visit&& visit) {
  visit(Field{.name = "initial_learning_rate", .bounds = at_least(0), .required = true}, decay.initial_learning_rate);
  visit(Field{.name = "first_decay_steps", .bounds = above(0), .required = true}, decay.first_decay_steps);
  visit(Field{"t_mul", at_least(1)}, decay.t_mul);
  visit(Field{"m_mul", at_least(0)}, decay.m_mul);
  visit(Field{"alpha", between(0, 1)}, decay.alpha);
  visit(Ignored{"name"});
}

/// A number, or a schedule: `0.01F`, `ExponentialDecay{...}`.
struct LearningRate {
  static constexpr const char *kNoun = "schedule", *kModule = "keras.optimizers.schedules";
  using Kinds = std::variant<ExponentialDecay, PiecewiseConstantDecay, PolynomialDecay, InverseTimeDecay, CosineDecay, CosineDecayRestarts>;

  LearningRate(float rate) : number(rate) {}
  LearningRate(Kinds schedule) : kind(std::move(schedule)) {}
  template <AlternativeOf<Kinds> Schedule>
  LearningRate(Schedule schedule) : kind(std::move(schedule)) {}

  /// After `step` steps; step 0 is the first one.
  float at(std::int64_t step) const;

  float number = 0;           ///< without a schedule
  std::optional<Kinds> kind;  ///< the schedule
};

/// An Error (kUsage) about values that do not fit the boundaries. Bounds are BoundsCheck's business.
void check(const LearningRate& rate);

}  // namespace lockstep
