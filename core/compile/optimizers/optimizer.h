#pragma once
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/buffer.h"
#include "core/compile/optimizers.h"
#include "core/compile/variable_range.h"
#include "core/data/shape.h"

namespace lockstep {

/// A trainable weight, as the optimizer sees it.
struct OptimizerVariable {
  std::int64_t offset, count;  ///< its place in the flat buffers
  std::string path = {};       ///< "sequential/dense/kernel": model, layer and name
  Shape shape = {};
};

/// One slot of an optimizer over all parameters: "momentum", "velocity", ... in the layout of the flat parameter buffer.
struct OptimizerSlot {
  std::string name;
  Buffer values;
  int group = 0;  ///< Keras' files have the slots of a group variable by variable, one group after the other
};

/// A number that is part of an optimizer's state.
struct OptimizerNumber {
  std::string name;
  float value;
};

/// The state of an optimizer and its step over the flat buffers.
class Optimizer {
 public:
  /// `parameters`: length of the flat buffers, which hold trainable weights and padding; `variables`: the weights, in Keras' order. Wrong
  /// settings (a negative rate, a beta outside [0, 1), more than one clip, ...) are an Error (kUsage).
  Optimizer(const OptimizerSpec& spec, std::int64_t parameters, std::vector<OptimizerVariable> variables);

  /// Puts the slots at their values before the first step; some are those of the weights.
  void start(std::span<const float> parameters);
  /// One update; gradients may be changed. Both spans are the whole flat buffers. Allocates nothing.
  void step(std::span<float> parameters, std::span<float> gradients);

  // The same in parts, for ranks that each update a slice of the flat buffers. All spans are the whole flat buffers. If needs_all():
  // gather() of all ranges, measure(), form() of all variables, update() of all ranges, each after the one before it is done everywhere.
  // Else gather() and update() of a range at any time.
  /// Whether a weight depends on more of the gradient than its own element: norms, whole variables.
  bool needs_all() const { return clips_by_norm() || forms_; }
  bool clips_by_norm() const;
  /// Whether form() has anything to do.
  bool forms() const { return forms_; }
  /// Takes a range of the gradient: accumulated over steps, it becomes their mean when the weights change.
  void gather(std::span<float> gradients, VariableRange range) const;
  /// Whether this step changes weights, or only accumulates its gradient.
  bool updates() const;
  /// Takes the norms that the clips of this step need.
  void measure(std::span<const float> gradients);
  /// Puts what update() subtracts from a variable in the place of its gradient; `variable`: index of variables().
  void form(std::size_t variable, std::span<const float> parameters, std::span<float> gradients) const;
  /// Clips and updates [range.offset, range.offset + range.count).
  void update(std::span<float> parameters, std::span<float> gradients, VariableRange range) const;
  /// After all ranges of a step.
  void count_step();
  /// Puts the moving averages in the place of the weights. Only with use_ema.
  void take_averages(std::span<float> parameters) const;
  /// w -= rate * g is the whole step: a gradient can be added to the weights while it is formed.
  bool plain() const;
  /// Moves every slot into memory from `memory(count)`; with `keep` what lies there already is taken for the slots.
  void place(const std::function<Buffer(std::int64_t)>& memory, bool keep);

  const OptimizerSpec& spec() const { return spec_; }
  const std::vector<OptimizerVariable>& variables() const { return variables_; }
  std::int64_t iterations() const { return iterations_; }
  /// A schedule's rate follows.
  void set_iterations(std::int64_t iterations);
  /// Of the next step.
  float learning_rate() const { return learning_rate_; }
  /// Whether the rate is a schedule's.
  bool scheduled() const { return lockstep::learning_rate(spec_).kind.has_value(); }
  /// With a schedule: Error (kUsage), as in Keras.
  void set_learning_rate(float rate);
  /// Slots in Keras' order (Adam: momentum, velocity).
  std::vector<OptimizerSlot>& slots() { return slots_; }
  const std::vector<OptimizerSlot>& slots() const { return slots_; }
  /// Shape of a slot beside a variable, whose first elements it takes in the flat buffer; nothing: the variable has no such slot.
  std::optional<Shape> slot_shape(std::size_t slot, std::size_t variable) const;
  /// Behind the slots in Keras' files.
  std::vector<OptimizerNumber>& numbers() { return numbers_; }
  const std::vector<OptimizerNumber>& numbers() const { return numbers_; }

 private:
  /// Weights with the same weight decay.
  struct DecayRange {
    VariableRange range;
    float decay;
  };
  void add_slots();
  void add_decays(std::int64_t parameters);
  void clip(float* gradients, VariableRange range) const;
  void average(float* parameters, VariableRange range) const;
  float* slot(std::size_t index) const { return const_cast<float*>(slots_[index].values.data()); }
  std::int64_t updates_done() const { return iterations_ / accumulated_; }

  OptimizerSpec spec_;
  std::vector<OptimizerVariable> variables_;
  bool forms_ = false;
  std::int64_t accumulated_ = 1;  // steps whose gradients an update takes
  std::size_t accumulator_ = 0,
              first_ = 0;      // slots: of accumulated gradients, the kind's own first one; slot 0 has averages, if there are any
  std::vector<float> decays_;  // of the variables
  std::vector<DecayRange> decay_ranges_;  // one for all parameters, or one for each variable
  std::vector<double> factors_;           // of this step's clip by norm, per variable; 1 leaves a gradient's bits alone
  std::vector<Buffer> work_;              // of the variables, for form()
  std::vector<OptimizerSlot> slots_;
  std::vector<OptimizerNumber> numbers_;
  std::int64_t iterations_ = 0;
  float learning_rate_ = 0;
};

}  // namespace lockstep
