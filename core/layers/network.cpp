#include "core/layers/network.h"

#include <algorithm>
#include <cmath>

#include "cluster/error.h"
#include "core/data/limits.h"
#include "core/layers/memory_need.h"

namespace lockstep {
namespace {

constexpr std::int64_t kAlignment = 16;  // floats: a cache line

std::int64_t padded(std::int64_t count) { return (count + kAlignment - 1) / kAlignment * kAlignment; }

Error wrong(const LayerSpec& layer, const std::string& what) {
  return Error("layer '" + layer_name(layer) + "' (" + class_name(layer) + "): " + what, kUsage);
}

std::int64_t last_axis(const Shape& shape) { return shape.empty() ? 1 : shape.back(); }

void check_regularizer(const Dense& layer, const char* name, const Regularizer& regularizer) {
  for (const float factor : {regularizer.l1, regularizer.l2}) {
    if (std::isfinite(factor) && factor >= 0) continue;
    throw wrong(layer, std::string(name) + " must have finite factors of at least 0 (in float32), found " + std::to_string(factor));
  }
}

DenseWeights dense_weights(const Dense& layer, std::size_t index, const Shape& input) {
  if (layer.units < 1 || layer.units > kMostElements) {
    throw wrong(layer, "units must be at least 1 and at most " + std::to_string(kMostElements) + ", found " + std::to_string(layer.units));
  }
  if (input.empty()) throw wrong(layer, "needs an input with at least one axis besides the batch; put a Flatten before it");
  Shape output = input;
  output.back() = layer.units;
  if (!row_fits(output)) {
    throw wrong(layer,
                "an output of shape " + to_string(output, true) + " has more than " + std::to_string(kMostElements) + " numbers a row");
  }
  check_regularizer(layer, "kernel_regularizer", layer.kernel_regularizer);
  check_regularizer(layer, "bias_regularizer", layer.bias_regularizer);
  DenseWeights weights;
  weights.layer = static_cast<std::int64_t>(index);
  weights.in = input.back();
  weights.out = layer.units;
  weights.repeat = elements(input) / input.back();
  return weights;
}

}  // namespace

Network::Network(const std::vector<LayerSpec>& layers, Shape input, std::uint64_t seed) : input_(std::move(input)) {
  for (const std::int64_t axis : input_) {
    if (axis < 1)
      throw Error("an input of shape " + to_string(input_, true) + " cannot be computed: every axis must be at least 1", kUsage);
  }
  if (!row_fits(input_)) {
    throw Error("an input of shape " + to_string(input_, true) + " has more than " + std::to_string(kMostElements) + " numbers a row",
                kUsage);
  }
  // Where each layer's weights lie must be known before its op is made, and the last layer's come first: two passes.
  place_weights(seed, layers);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    append(layers[i], i, seed);
    names_.resize(ops_.size(), layer_name(layers[i]));
  }
  first_trainable_ = ops_.size();
  for (std::size_t i = ops_.size(); i-- > 0;) {
    if (ops_[i]->weights() != nullptr) first_trainable_ = i;
  }
}

void Network::place_weights(std::uint64_t seed, const std::vector<LayerSpec>& layers) {
  Shape shape = input_;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    if (std::holds_alternative<Flatten>(layers[i])) shape = {elements(shape)};
    if (const auto* dense = std::get_if<Dense>(&layers[i])) {
      dense_.push_back(dense_weights(*dense, i, shape));
      shape.back() = dense->units;
    }
    shapes_.push_back(shape);
  }
  std::int64_t total = 0;
  for (auto weights = dense_.rbegin(); weights != dense_.rend(); ++weights) {
    const bool bias = std::get<Dense>(layers[static_cast<std::size_t>(weights->layer)]).use_bias;
    weights->offset = weights->kernel = total;
    if (bias) weights->bias = total + weights->in * weights->out;
    weights->count = padded(weights->in * weights->out + (bias ? weights->out : 0));
    total += weights->count;
    if (total > kMostParameters) {
      throw wrong(layers[static_cast<std::size_t>(weights->layer)], "with its weights (" + std::to_string(weights->in) + ", " +
                                                                        std::to_string(weights->out) + ") the model has more than " +
                                                                        std::to_string(kMostParameters) + " parameters");
    }
  }
  allocate_weights(layers, total);
  base_ = parameters_.data();
  for (const DenseWeights& weights : dense_) {
    const auto index = static_cast<std::size_t>(weights.layer);
    const Dense& layer = std::get<Dense>(layers[index]);
    const auto id = static_cast<std::uint32_t>(2 * index);
    variables_.push_back({index, "kernel", {weights.in, weights.out}, weights.kernel, layer.kernel_regularizer});
    initialize(layer.kernel_initializer, {weights.in, weights.out}, seed, id,
               parameters().subspan(static_cast<std::size_t>(weights.kernel), static_cast<std::size_t>(weights.in * weights.out)));
    if (weights.bias < 0) continue;
    variables_.push_back({index, "bias", {weights.out}, weights.bias, layer.bias_regularizer});
    initialize(layer.bias_initializer, {weights.out}, seed, id + 1,
               parameters().subspan(static_cast<std::size_t>(weights.bias), static_cast<std::size_t>(weights.out)));
  }
}

/// Zeros, `total` with the padding.
void Network::allocate_weights(const std::vector<LayerSpec>& layers, std::int64_t total) {
  MemoryNeed need;
  for (const DenseWeights& weights : dense_) {
    need.parameters += (weights.in + (std::get<Dense>(layers[static_cast<std::size_t>(weights.layer)]).use_bias ? 1 : 0)) * weights.out;
  }
  need.weights = static_cast<double>(total) * sizeof(float);
  need.check(1);
  parameters_ = need.allocating([total] { return Buffer(total); });
}

void Network::append(const LayerSpec& layer, std::size_t index, std::uint64_t seed) {
  const Shape& input = index == 0 ? input_ : shapes_[index - 1];
  if (const auto* dense = std::get_if<Dense>(&layer)) return append_dense(*dense, index, input);
  if (const auto* activation = std::get_if<Activation>(&layer)) return append_activation(activation->function, input);
  if (const auto* normalization = std::get_if<Normalization>(&layer)) return append_normalization(*normalization, input);
  if (std::holds_alternative<Flatten>(layer)) return;  // the same floats in the same order: nothing to compute
  last_activation_ = linear;
  if (const auto* rescaling = std::get_if<Rescaling>(&layer)) ops_.push_back(make_rescaling_op(*rescaling, elements(input)));
  if (const auto* dropout = std::get_if<Dropout>(&layer)) {
    ops_.push_back(make_dropout_op(*dropout, elements(input), seed, static_cast<std::uint32_t>(index)));
  }
}

void Network::append_dense(const Dense& layer, std::size_t index, const Shape& input) {
  const auto weights =
      std::find_if(dense_.begin(), dense_.end(), [&](const DenseWeights& w) { return w.layer == static_cast<std::int64_t>(index); });
  const bool keeps_input = !derivative_from_output(layer.activation);  // its backward reads the pre-activation: an op of its own
  dense_ops_.push_back({ops_.size(), *weights, keeps_input ? linear : layer.activation});
  ops_.push_back(make_dense_op(*weights, dense_ops_.back().activation, &base_));
  last_activation_ = layer.activation;
  if (keeps_input) {
    Shape output = input;
    output.back() = layer.units;
    append_activation(layer.activation, output);
  }
}

void Network::append_activation(ActivationFunction function, const Shape& shape) {
  ops_.push_back(make_activation_op(function, elements(shape), last_axis(shape)));
  last_activation_ = function;
}

void Network::append_normalization(const Normalization& layer, const Shape& input) {
  const auto count = static_cast<std::size_t>(statistic_index(layer, input).count);
  const auto fits = [&](std::size_t found) { return found == 1 || found == count; };
  if (layer.mean.size() != layer.variance.size()) throw wrong(layer, "mean and variance must be given together, with the same length");
  for (const float value : layer.mean) {
    if (!std::isfinite(value)) throw wrong(layer, "mean must be finite, found " + std::to_string(value));
  }
  for (const float value : layer.variance) {
    if (!(value >= 0) || std::isinf(value)) throw wrong(layer, "variance must be finite and at least 0, found " + std::to_string(value));
  }
  Normalization::Statistics& statistics = *layer.statistics;
  if (layer.mean.empty() && statistics.mean.empty()) {
    statistics.mean.assign(count, 0);
    statistics.variance.assign(count, 1);
  }
  const std::size_t found = layer.mean.empty() ? statistics.mean.size() : layer.mean.size();
  if (layer.mean.empty() ? found != count : !fits(found)) {
    throw wrong(layer, "has statistics for " + std::to_string(found) + " values, but its input " + to_string(input, true) + " needs " +
                           std::to_string(count));
  }
  ops_.push_back(make_normalization_op(layer, input));
  last_activation_ = linear;
}

void Network::place(Buffer memory, bool keep) {
  if (!keep) std::copy_n(parameters_.data(), parameters_.size(), memory.data());
  parameters_ = std::move(memory);
  base_ = parameters_.data();
}

void Network::set_bfloat16(bool on) {
  if (on == bfloat16_) return;
  bfloat16_ = on;
  for (const auto& [op, weights, activation] : dense_ops_) {
    ops_[op] = on ? make_bfloat16_dense_op(weights, activation, &base_) : make_dense_op(weights, activation, &base_);
  }
}

void Network::prepare(std::int64_t rows, int threads) {
  for (const auto& op : ops_) op->prepare(rows, threads);
}

}  // namespace lockstep
