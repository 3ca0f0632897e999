#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "cluster/buffer.h"
#include "core/compile/kinds.h"

namespace lockstep {

/// Common to all optimizers: at most one of the three clips (Error otherwise). Order of a step: clip, weight decay (w -= w * weight_decay *
/// learning_rate, all trainable weights), update. Source: keras/src/optimizers/base_optimizer.py.
struct OptimizerOptions {
  float weight_decay = 0;
  float clipnorm = 0;         ///< each variable's gradient to at most this L2 norm; 0 = off
  float clipvalue = 0;        ///< each element into [-v, v]; 0 = off
  float global_clipnorm = 0;  ///< all gradients together to at most this L2 norm; 0 = off
};

/// w -= lr g; with momentum m = mu m - lr g, w += m, or with nesterov w += mu m - lr g.
struct Sgd {
  static constexpr Kind kKind = {.class_name = "SGD", .name = "sgd"};
  float learning_rate = 0.01F;
  float momentum = 0;
  bool nesterov = false;
  OptimizerOptions options = {};
};
/// m += (g - m)(1 - b1); v += (g^2 - v)(1 - b2); w -= lr sqrt(1 - b2^t)/(1 - b1^t) m / (sqrt(v) + epsilon); amsgrad: max of v.
struct Adam {
  static constexpr Kind kKind = {.class_name = "Adam", .name = "adam"};
  float learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-7F;
  bool amsgrad = false;
  OptimizerOptions options = {};
};
/// Adam with decoupled weight decay of 0.004.
struct AdamW {
  static constexpr Kind kKind = {.class_name = "AdamW", .name = "adamw"};
  float learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.999F;
  float epsilon = 1e-7F;
  bool amsgrad = false;
  OptimizerOptions options = {.weight_decay = 0.004F};
};
/// v = rho v + (1-rho) g^2; increment lr g / sqrt(v + epsilon), centered: v - mean(g)^2 + epsilon; momentum on the increment.
struct RMSprop {
  static constexpr Kind kKind = {.class_name = "RMSprop", .name = "rmsprop"};
  float learning_rate = 0.001F;
  float rho = 0.9F;
  float momentum = 0;
  float epsilon = 1e-7F;
  bool centered = false;
  OptimizerOptions options = {};
};
/// w -= lr sign(b1 m + (1 - b1) g); then m = b2 m + (1 - b2) g. Source: Chen et al. 2023, arXiv 2302.06675; keras/src/optimizers/lion.py.
struct Lion {
  static constexpr Kind kKind = {.class_name = "Lion", .name = "lion"};
  float learning_rate = 0.001F;
  float beta_1 = 0.9F;
  float beta_2 = 0.99F;
  OptimizerOptions options = {};
};

using OptimizerSpec = std::variant<Sgd, Adam, AdamW, RMSprop, Lion>;

template <Is<OptimizerOptions> S, class Visit>
void fields(S& options, Visit&& visit) {
  visit(Field{.name = "clipnorm", .bounds = at_least(0), .null_if_zero = true}, options.clipnorm);
  visit(Field{.name = "global_clipnorm", .bounds = at_least(0), .null_if_zero = true}, options.global_clipnorm);
  visit(Field{.name = "clipvalue", .bounds = at_least(0), .null_if_zero = true}, options.clipvalue);
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

/// "sgd", "adam", ... (any case) with Keras' defaults; unknown: Error (kUsage) listing these.
OptimizerSpec optimizer_from_name(std::string_view name);
float learning_rate(const OptimizerSpec& spec);
std::string class_name(const OptimizerSpec& spec);
/// An Error (kUsage) about a setting that the optimizer cannot work with, or about two clips.
void check(const OptimizerSpec& spec);

/// One slot of an optimizer over all parameters: "momentum", "velocity", ... in the layout of the flat parameter buffer.
struct OptimizerSlot {
  std::string name;
  Buffer values;
};

/// A variable's place in the flat buffers.
struct VariableRange {
  std::int64_t offset, count;
};

/// The state of an optimizer and its step over the flat buffers.
class Optimizer {
 public:
  /// `parameters`: length of the flat buffers, which hold trainable weights and padding; `variables`: the weights, for the norms of clips.
  /// Wrong settings (a negative rate, a beta outside [0, 1), more than one clip, ...) are an Error (kUsage).
  Optimizer(const OptimizerSpec& spec, std::int64_t parameters, std::vector<VariableRange> variables);

  /// One update; gradients may be changed by clipping. Both spans are the whole flat buffers. Allocates nothing.
  void step(std::span<float> parameters, std::span<float> gradients);

  // The same in parts, for ranks that each update a slice of the flat buffers. All spans are the whole flat buffers.
  /// Whether a step has to measure() first: a clip by norm is set.
  bool clips_by_norm() const;
  /// Takes the norms that the clips of this step need.
  void measure(std::span<const float> gradients);
  /// Clips and updates [range.offset, range.offset + range.count).
  void update(std::span<float> parameters, std::span<float> gradients, VariableRange range) const;
  /// After all ranges of a step.
  void count_step() { ++iterations_; }
  /// w -= rate * g is the whole step: a gradient can be added to the weights while it is formed.
  bool plain() const;
  /// Moves every slot into memory from `memory(count)`; with `keep` what lies there already is taken for the slots.
  void place(const std::function<Buffer(std::int64_t)>& memory, bool keep);

  const OptimizerSpec& spec() const { return spec_; }
  std::int64_t iterations() const { return iterations_; }
  void set_iterations(std::int64_t iterations) { iterations_ = iterations; }
  float learning_rate() const { return learning_rate_; }
  void set_learning_rate(float rate) { learning_rate_ = rate; }
  /// Slots in Keras' order (Adam: momentum, velocity). How a file interleaves them per variable is its own business.
  std::vector<OptimizerSlot>& slots() { return slots_; }
  const std::vector<OptimizerSlot>& slots() const { return slots_; }

 private:
  void clip(float* gradients, VariableRange range) const;
  OptimizerSpec spec_;
  std::vector<VariableRange> variables_;
  std::vector<double> factors_;  // of this step's clip by norm, per variable; 1 leaves a gradient's bits alone
  std::vector<OptimizerSlot> slots_;
  std::int64_t iterations_ = 0;
  float learning_rate_ = 0;
};

}  // namespace lockstep
