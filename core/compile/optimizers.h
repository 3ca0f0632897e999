#pragma once
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "core/compile/kinds.h"
#include "core/compile/schedules.h"

namespace lockstep {

/// Regular expressions, searched for in names. A setting of Lockstep's own: Keras' files do not hold it.
struct NamePatterns {
  NamePatterns() = default;
  NamePatterns(std::initializer_list<std::string> list) : patterns(list) {}
  std::vector<std::string> patterns = {};
};

/// Common to all optimizers: at most one of the three clips (Error otherwise). Order of a step: mean of the accumulated gradients, clip,
/// weight decay (w -= w * weight_decay * learning_rate, all trainable weights), update, moving average. Source:
/// keras/src/optimizers/base_optimizer.py.
struct OptimizerOptions {
  float weight_decay = 0;
  float clipnorm = 0;         ///< each variable's gradient to at most this L2 norm; 0 = off
  float clipvalue = 0;        ///< each element into [-v, v]; 0 = off
  float global_clipnorm = 0;  ///< all gradients together to at most this L2 norm; 0 = off
  bool use_ema = false;       ///< keeps the average m average + (1 - m) w of each weight, which takes its place at the end of fit()
  float ema_momentum = 0.99F;
  std::int64_t ema_overwrite_frequency = 0;      ///< and after so many updates; 0 = only at the end
  float loss_scale_factor = 0;                   ///< kept for Keras, which multiplies the loss by it and divides the gradients: no effect
  std::int64_t gradient_accumulation_steps = 0;  ///< weights change every so many steps, by the mean of their gradients; 0 = every step
  NamePatterns exclude_from_weight_decay = {};   ///< names of weights without weight decay: {"bias", "gamma"}
};

/// w -= lr g; with momentum m = mu m - lr g, w += m, or with nesterov w += mu m - lr g.
struct Sgd {
  static constexpr Kind kKind = {.class_name = "SGD", .name = "sgd"};
  LearningRate learning_rate = 0.01F;
  float momentum = 0;
  bool nesterov = false;
  OptimizerOptions options = {};
};
/// m += (g - m)(1 - b1); v += (g^2 - v)(1 - b2); w -= lr sqrt(1 - b2^t)/(1 - b1^t) m / (sqrt(v) + epsilon); amsgrad: max of v.
struct Adam {
  static constexpr Kind kKind = {.class_name = "Adam", .name = "adam"};
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-7F;
  bool amsgrad = false;
  OptimizerOptions options = {};
};
/// Adam with decoupled weight decay of 0.004.
struct AdamW {
  static constexpr Kind kKind = {.class_name = "AdamW", .name = "adamw"};
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-7F;
  bool amsgrad = false;
  OptimizerOptions options = {.weight_decay = 0.004F};
};
/// v = rho v + (1-rho) g^2; increment lr g / sqrt(v + epsilon), centered: v - mean(g)^2 + epsilon; momentum on the increment.
struct RMSprop {
  static constexpr Kind kKind = {.class_name = "RMSprop", .name = "rmsprop"};
  LearningRate learning_rate = 0.001F;
  float rho = 0.9F;
  float momentum = 0;
  float epsilon = 1e-7F;
  bool centered = false;
  OptimizerOptions options = {};
};
/// w -= lr sign(b1 m + (1 - b1) g); then m = b2 m + (1 - b2) g. Source: Chen et al. 2023, arXiv 2302.06675; keras/src/optimizers/lion.py.
struct Lion {
  static constexpr Kind kKind = {.class_name = "Lion", .name = "lion"};
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.99F;
  OptimizerOptions options = {};
};
/// a = rho a + (1 - rho) g^2; d = sqrt(u + epsilon) g / sqrt(a + epsilon); u = rho u + (1 - rho) d^2; w -= lr d. Source: Zeiler 2012,
/// arXiv 1212.5701.
struct Adadelta {
  static constexpr Kind kKind = {.class_name = "Adadelta", .name = "adadelta"};
  LearningRate learning_rate = 0.001F;
  float rho = 0.95F;
  float epsilon = 1e-7F;
  OptimizerOptions options = {};
};
/// a += g^2; w -= lr g / sqrt(a + epsilon). Source: Duchi et al. 2011.
struct Adagrad {
  static constexpr Kind kKind = {.class_name = "Adagrad", .name = "adagrad"};
  LearningRate learning_rate = 0.001F;
  float initial_accumulator_value = 0.1F;
  float epsilon = 1e-7F;
  OptimizerOptions options = {};
};
/// m += (g - m)(1 - b1); u = max(b2 u, |g|); w -= lr m / ((1 - b1^t)(u + epsilon)).
struct Adamax {
  static constexpr Kind kKind = {.class_name = "Adamax", .name = "adamax"};
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-7F;
  OptimizerOptions options = {};
};
/// Follow the regularized leader, for wide and sparse models. n = a + g^2; z += g + 2 shrinkage w - (n^p - a^p)/lr w; a = n;
/// w = (clip(z, -l1, l1) - z) / (n^p/lr + 2 l2 + beta/lr), with p = -learning_rate_power. Source: McMahan et al. 2013.
struct Ftrl {
  static constexpr Kind kKind = {.class_name = "Ftrl", .name = "ftrl"};
  LearningRate learning_rate = 0.001F;
  float learning_rate_power = -0.5F;
  float initial_accumulator_value = 0.1F;
  float l1_regularization_strength = 0;
  float l2_regularization_strength = 0;
  float l2_shrinkage_regularization_strength = 0;
  float beta = 0;
  OptimizerOptions options = {};
};
/// Adam with Nesterov's momentum. Source: Dozat 2015; keras/src/optimizers/nadam.py.
struct Nadam {
  static constexpr Kind kKind = {.class_name = "Nadam", .name = "nadam"};
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-7F;
  OptimizerOptions options = {};
};
/// AdamW without a schedule: weights are b1 x + (1 - b1) z, where z takes the steps and x is its running mean. Source: Defazio et al. 2024,
/// arXiv 2405.15682; keras/src/optimizers/schedule_free_adamw.py.
struct ScheduleFreeAdamW {
  static constexpr Kind kKind = {.class_name = "ScheduleFreeAdamW", .name = "schedulefreeadamw"};
  LearningRate learning_rate = 0.0025F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-8F;
  std::int64_t warmup_steps = 0;
  OptimizerOptions options = {};
};

// These need the whole gradient of a variable before any of its weights can change.

/// Adam whose step is scaled by norm(w) / norm(step) in every variable. Source: You et al. 2019, arXiv 1904.00962.
struct Lamb {
  static constexpr Kind kKind = {.class_name = "Lamb", .name = "lamb"};
  static constexpr bool kWholeVariables = true;
  LearningRate learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-7F;
  OptimizerOptions options = {};
};
/// Momentum SGD whose rate is scaled by trust_coefficient norm(w) / (norm(g) + weight_decay norm(w)) in every variable; the decay is added
/// to the gradient. A norm of 0 leaves the rate as it is. Not in Keras. Source: You et al. 2017, arXiv 1708.03888.
struct Lars {
  static constexpr Kind kKind = {.class_name = "LARS", .name = "lars"};
  static constexpr bool kWholeVariables = true;
  LearningRate learning_rate = 0.01F;
  float momentum = 0.9F;
  float trust_coefficient = 0.001F;
  OptimizerOptions options = {};
};
/// Divides by a mean of squares that is the product of a row's and a column's; the rate is relative to the size of the weights. Source:
/// Shazeer and Stern 2018, arXiv 1804.04235; keras/src/optimizers/adafactor.py.
struct Adafactor {
  static constexpr Kind kKind = {.class_name = "Adafactor", .name = "adafactor"};
  static constexpr bool kWholeVariables = true;
  LearningRate learning_rate = 0.001F;
  float beta_2_decay = -0.8F;
  float epsilon_1 = 1e-30F;
  float epsilon_2 = 1e-3F;
  float clip_threshold = 1;
  bool relative_step = true;
  OptimizerOptions options = {};
};
/// Momentum whose matrices are made nearly orthogonal by ns_steps Newton-Schulz steps. All other variables, embeddings and variables whose
/// path ("sequential/dense/kernel") has one of `exclude_layers` take AdamW's step. Source: Liu et al. 2025, arXiv 2502.16982;
/// keras/src/optimizers/muon.py.
struct Muon {
  static constexpr Kind kKind = {.class_name = "Muon", .name = "muon"};
  static constexpr bool kWholeVariables = true;
  LearningRate learning_rate = 0.001F;
  float adam_beta_1 = 0.9F;
  float adam_beta_2 = 0.999F;
  float adam_weight_decay = 0.004F;
  float epsilon = 1e-7F;
  std::vector<std::string> exclude_layers = {};
  bool exclude_embeddings = true;
  float muon_a = 3.4445F;
  float muon_b = -4.775F;
  float muon_c = 2.0315F;
  float adam_lr_ratio = 1;
  float momentum = 0.95F;
  std::int64_t ns_steps = 5;
  bool nesterov = true;
  std::optional<float> rms_rate = 0.2F;
  OptimizerOptions options = {.weight_decay = 0.004F};
};

using OptimizerSpec =
    std::variant<Sgd, Adam, AdamW, RMSprop, Lion, Adadelta, Adafactor, Adagrad, Adamax, Ftrl, Lamb, Lars, Muon, Nadam, ScheduleFreeAdamW>;

template <Is<OptimizerOptions> S, class Visit>
void fields(S& options, Visit&& visit) {
  visit(Field{.name = "clipnorm", .bounds = at_least(0), .null_if_zero = true}, options.clipnorm);
  visit(Field{.name = "global_clipnorm", .bounds = at_least(0), .null_if_zero = true}, options.global_clipnorm);
  visit(Field{.name = "clipvalue", .bounds = at_least(0), .null_if_zero = true}, options.clipvalue);
  visit(Field{"use_ema"}, options.use_ema);
  visit(Field{"ema_momentum", between(0, 1)}, options.ema_momentum);
  visit(Field{.name = "ema_overwrite_frequency", .bounds = at_least(0), .null_if_zero = true}, options.ema_overwrite_frequency);
  visit(Field{.name = "loss_scale_factor", .bounds = at_least(0), .null_if_zero = true}, options.loss_scale_factor);
  visit(Field{.name = "gradient_accumulation_steps", .bounds = at_least(0), .null_if_zero = true}, options.gradient_accumulation_steps);
  visit(Field{"exclude_from_weight_decay"}, options.exclude_from_weight_decay);
}

template <Is<Sgd> S, class Visit>
void fields(S& sgd, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, sgd.learning_rate);
  visit(Field{"momentum", between(0, 1)}, sgd.momentum);
  visit(Field{"nesterov"}, sgd.nesterov);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, sgd.options.weight_decay);
  fields(sgd.options, visit);
}

template <class S, class Visit>
requires Is<S, Adam> || Is<S, AdamW>
void fields(S& adam, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, adam.learning_rate);
  visit(Field{"beta_1", from_to_below(0, 1)}, adam.beta_1);
  visit(Field{"beta_2", from_to_below(0, 1)}, adam.beta_2);
  visit(Field{"epsilon", above(0)}, adam.epsilon);
  visit(Field{"amsgrad"}, adam.amsgrad);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = Is<S, Adam>}, adam.options.weight_decay);
  fields(adam.options, visit);
}

template <Is<RMSprop> S, class Visit>
void fields(S& rmsprop, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, rmsprop.learning_rate);
  visit(Field{"rho", from_to_below(0, 1)}, rmsprop.rho);
  visit(Field{"momentum", between(0, 1)}, rmsprop.momentum);
  visit(Field{"epsilon", above(0)}, rmsprop.epsilon);
  visit(Field{"centered"}, rmsprop.centered);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, rmsprop.options.weight_decay);
  fields(rmsprop.options, visit);
}

template <Is<Lion> S, class Visit>
void fields(S& lion, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, lion.learning_rate);
  visit(Field{"beta_1", {.least = 0, .most = 1, .above = true}}, lion.beta_1);
  visit(Field{"beta_2", between(0, 1)}, lion.beta_2);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, lion.options.weight_decay);
  fields(lion.options, visit);
}

template <Is<Adadelta> S, class Visit>
void fields(S& adadelta, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, adadelta.learning_rate);
  visit(Field{"rho", from_to_below(0, 1)}, adadelta.rho);
  visit(Field{"epsilon", above(0)}, adadelta.epsilon);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, adadelta.options.weight_decay);
  fields(adadelta.options, visit);
}

template <Is<Adafactor> S, class Visit>
void fields(S& adafactor, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, adafactor.learning_rate);
  visit(Field{"beta_2_decay", {.most = 0}}, adafactor.beta_2_decay);
  visit(Field{"epsilon_1", above(0)}, adafactor.epsilon_1);
  visit(Field{"epsilon_2", above(0)}, adafactor.epsilon_2);
  visit(Field{"clip_threshold", above(0)}, adafactor.clip_threshold);
  visit(Field{"relative_step"}, adafactor.relative_step);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, adafactor.options.weight_decay);
  fields(adafactor.options, visit);
}

template <Is<Adagrad> S, class Visit>
void fields(S& adagrad, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, adagrad.learning_rate);
  visit(Field{"initial_accumulator_value", at_least(0)}, adagrad.initial_accumulator_value);
  visit(Field{"epsilon", above(0)}, adagrad.epsilon);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, adagrad.options.weight_decay);
  fields(adagrad.options, visit);
}

template <class S, class Visit>
requires Is<S, Adamax> || Is<S, Lamb> || Is<S, Nadam>
void fields(S& adam, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, adam.learning_rate);
  visit(Field{"beta_1", from_to_below(0, 1)}, adam.beta_1);
  visit(Field{"beta_2", from_to_below(0, 1)}, adam.beta_2);
  visit(Field{"epsilon", above(0)}, adam.epsilon);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, adam.options.weight_decay);
  fields(adam.options, visit);
}

template <Is<Ftrl> S, class Visit>
void fields(S& ftrl, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, ftrl.learning_rate);
  visit(Field{"learning_rate_power", {.most = 0}}, ftrl.learning_rate_power);
  visit(Field{"initial_accumulator_value", at_least(0)}, ftrl.initial_accumulator_value);
  visit(Field{"l1_regularization_strength", at_least(0)}, ftrl.l1_regularization_strength);
  visit(Field{"l2_regularization_strength", at_least(0)}, ftrl.l2_regularization_strength);
  visit(Field{"l2_shrinkage_regularization_strength", at_least(0)}, ftrl.l2_shrinkage_regularization_strength);
  visit(Field{"beta", at_least(0)}, ftrl.beta);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, ftrl.options.weight_decay);
  fields(ftrl.options, visit);
}

template <Is<Lars> S, class Visit>
void fields(S& lars, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, lars.learning_rate);
  visit(Field{"momentum", between(0, 1)}, lars.momentum);
  visit(Field{"trust_coefficient", above(0)}, lars.trust_coefficient);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, lars.options.weight_decay);
  fields(lars.options, visit);
}

template <Is<Muon> S, class Visit>
void fields(S& muon, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, muon.learning_rate);
  visit(Field{"adam_beta_1", from_to_below(0, 1)}, muon.adam_beta_1);
  visit(Field{"adam_beta_2", from_to_below(0, 1)}, muon.adam_beta_2);
  visit(Field{"epsilon", above(0)}, muon.epsilon);
  visit(Field{"exclude_layers"}, muon.exclude_layers);
  visit(Field{"muon_a"}, muon.muon_a);
  visit(Field{"muon_b"}, muon.muon_b);
  visit(Field{"muon_c"}, muon.muon_c);
  visit(Field{"adam_lr_ratio", at_least(0)}, muon.adam_lr_ratio);
  visit(Field{"momentum", between(0, 1)}, muon.momentum);
  visit(Field{"ns_steps", between(0, 100)}, muon.ns_steps);
  visit(Field{"nesterov"}, muon.nesterov);
  visit(Field{"exclude_embeddings"}, muon.exclude_embeddings);
  visit(Field{.name = "adam_weight_decay", .bounds = at_least(0), .null_if_zero = true}, muon.adam_weight_decay);
  visit(Field{"rms_rate", at_least(0)}, muon.rms_rate);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, muon.options.weight_decay);
  fields(muon.options, visit);
}

template <Is<ScheduleFreeAdamW> S, class Visit>
void fields(S& adam, Visit&& visit) {
  visit(Field{"learning_rate", at_least(0)}, adam.learning_rate);
  visit(Field{"beta_1", {.least = 0, .most = 1, .above = true, .below = true}}, adam.beta_1);
  visit(Field{"beta_2", from_to_below(0, 1)}, adam.beta_2);
  visit(Field{"epsilon", above(0)}, adam.epsilon);
  visit(Field{"warmup_steps", at_least(0)}, adam.warmup_steps);
  visit(Field{.name = "weight_decay", .bounds = at_least(0), .null_if_zero = true}, adam.options.weight_decay);
  fields(adam.options, visit);
}

/// Of a kind whose step needs whole variables.
template <class Optimizer>
concept OfWholeVariables = requires {
  Optimizer::kWholeVariables;
};

/// "sgd", "adam", ... (any case) with Keras' defaults; unknown: Error (kUsage) listing these.
OptimizerSpec optimizer_from_name(std::string_view name);
const LearningRate& learning_rate(const OptimizerSpec& spec);
const OptimizerOptions& options_of(const OptimizerSpec& spec);
std::string class_name(const OptimizerSpec& spec);
/// False: Keras cannot read it from a file.
bool in_keras(const OptimizerSpec& spec);
/// An Error (kUsage) about a setting that the optimizer cannot work with, or about two clips.
void check(const OptimizerSpec& spec);
/// Whether one of the patterns is found in the text.
bool matches(const std::vector<std::string>& patterns, const std::string& text);

}  // namespace lockstep
