#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/buffer.h"
#include "core/layers/layers.h"
#include "core/layers/op.h"

namespace lockstep {

/// A trainable weight's place in the flat buffers.
struct Variable {
  std::size_t layer;  ///< index into the model's layers
  std::string name;   ///< "kernel", "bias"
  Shape shape;
  std::int64_t offset;
  Regularizer regularizer;
};

/// A trainable weight that must keep a constraint.
struct ConstrainedWeight {
  std::int64_t offset;
  WeightConstraint constraint;
};

/// A built stack of layers: the ops that compute it and all trainable weights in one flat buffer.
///
/// Weights lie in the order in which backward finishes their gradients, last layer first (each layer in Keras' order, padded to 16 floats
/// with zeros), so that a bucket of gradients is a slice. Those of frozen ops come last. variables() lists them in Keras' order, first
/// layer first.
class Network {
 public:
  /// Layers in order, without Input layers; every layer is named. Shapes that do not fit are Errors (kUsage) naming the layer.
  Network(const std::vector<LayerSpec>& layers, const Shape& input, std::uint64_t seed);
  /// The same of layers that are built already, whatever their ops are.
  Network(std::vector<BuiltLayer> layers, Shape input, std::uint64_t seed);
  Network(const Network&) = delete;
  Network& operator=(const Network&) = delete;

  const Shape& input_shape() const { return input_; }
  const Shape& output_shape(std::size_t layer) const { return shapes_[layer]; }
  std::int64_t input_width() const { return elements(input_); }
  std::int64_t output_width() const { return elements(shapes_.empty() ? input_ : shapes_.back()); }

  const std::vector<std::unique_ptr<Op>>& ops() const { return ops_; }
  /// Name of the layer that op `i` computes.
  const std::string& layer_of(std::size_t i) const { return names_[i]; }
  /// Whether the last op ends in this activation (so that the loss can take its logits).
  bool ends_in(ActivationFunction function) const {
    return !ops_.empty() && ops_.back()->activation() == function &&
           (function != softmax || ops_.back()->activation_width() == ops_.back()->out);
  }
  /// The last activation on the way to the output.
  ActivationFunction output_activation() const;
  /// What computes products, at first Products::portable; before prepare(). Products::bfloat16 needs has_bfloat16(). Products::portable is
  /// an Error (kUsage) naming the first layer that has no kernels without oneDNN.
  void set_products(Products products);
  bool bfloat16() const { return products_ == Products::bfloat16; }
  /// Ops before this one have no weights to train before them: backward ends here.
  std::size_t first_trainable() const { return first_trainable_; }

  /// All weights that are trained somewhere; those of frozen ops, which stay as they are, lie behind the others.
  std::span<float> parameters() { return parameters_.span(); }
  /// The first so many of them are trained: the length of gradients and of the optimizer's slots.
  std::int64_t trainable_parameters() const { return trainable_parameters_; }
  /// Moves the weights into other memory of parameters().size() floats; with `keep` what lies there already is taken for the weights.
  void place(Buffer memory, bool keep);
  const std::vector<Variable>& variables() const { return variables_; }
  /// The weights with constraints; constrain(i) applies that of the i-th one, after a step of the optimizer.
  const std::vector<ConstrainedWeight>& constrained() const { return constrained_; }
  void constrain(std::size_t i) { constrained_[i].constraint.apply(parameters_.data() + constrained_[i].offset); }

  /// Op::take_flaw of all ops, the first one that has any; `what` names the layer.
  std::optional<RowFlaw> take_flaw();
  /// Op::prepare of all ops, for `grains` grains of `rows` rows.
  void prepare(std::int64_t rows, int threads, std::int64_t grains = 1);

 private:
  std::int64_t place_weights(const std::vector<BuiltLayer>& layers);
  void allocate_weights(std::int64_t total);
  void list_variables();
  void initialize_weights(std::uint64_t seed);
  template <class Work>
  void naming_weight(std::size_t op, const Weight& weight, const Work& work) const;

  Shape input_;
  std::vector<Shape> shapes_;  // per layer: output
  std::vector<std::unique_ptr<Op>> ops_;
  std::vector<std::size_t> layer_of_op_;
  std::vector<std::string> names_;  // per op: layer
  Products products_ = Products::portable;
  std::vector<Variable> variables_;
  std::vector<ConstrainedWeight> constrained_;
  Buffer parameters_;
  float* base_ = nullptr;
  std::size_t first_trainable_ = 0;
  std::int64_t trainable_parameters_ = 0;
};

}  // namespace lockstep
