#include "core/network/network.h"

#include <algorithm>

#include "cluster/error.h"
#include "core/data/limits.h"
#include "core/layers/fusion/relu.h"
#include "core/network/memory_need.h"

namespace lockstep {
namespace {

std::vector<BuiltLayer> build_layers(const std::vector<LayerSpec>& layers, const Shape& input, std::uint64_t seed) {
  for (const std::int64_t axis : input) {
    if (axis < 1) throw Error("an input of shape " + to_string(input, true) + " cannot be computed: every axis must be at least 1", kUsage);
  }
  if (!row_fits(input)) {
    throw Error("an input of shape " + to_string(input, true) + " has more than " + std::to_string(kMostElements) + " numbers a row",
                kUsage);
  }
  std::vector<BuiltLayer> built;
  for (const LayerSpec& layer : layers) {
    const LayerSite site{built.empty() ? input : built.back().output, built.size(), seed};
    built.push_back(std::visit(
        [&](const auto& spec) {
          fields(spec, BoundsCheck("layer '" + layer_name(layer) + "' (" + class_name(layer) + ")"));
          return build(spec, site);
        },
        layer));
    built.back().name = layer_name(layer);
    built.back().class_name = class_name(layer);
    if (layer_trainable(layer)) continue;
    for (const auto& op : built.back().ops) op->freeze();
  }
  return built;
}

/// Relus move to the maximum of windows behind them, which leaves fewer numbers, or to the op before them. An op without anything left to
/// do goes.
void move_relus(std::vector<BuiltLayer>& layers) {
  std::vector<std::unique_ptr<Op>*> ops;
  for (BuiltLayer& layer : layers) {
    for (std::unique_ptr<Op>& op : layer.ops) ops.push_back(&op);
  }
  const auto taker = [&](std::size_t i) { return i < ops.size() ? dynamic_cast<TakesRelu*>(ops[i]->get()) : nullptr; };
  for (std::size_t i = 0; i < ops.size(); ++i) {
    auto* const from = dynamic_cast<LeavesRelu*>(ops[i]->get());
    if (from == nullptr || !from->ends_in_relu()) continue;
    TakesRelu *const next = taker(i + 1), *const last = from->only_activates() ? taker(i - 1) : nullptr;
    if (!(next != nullptr && next->take_relu_before()) && !(last != nullptr && last->take_relu_behind())) continue;
    from->leave_relu();
    if (from->only_activates()) ops[i]->reset();
  }
}

/// Tells one weight of a model from another: weight `number` of layer `layer`.
std::uint32_t weight_id(std::size_t layer, std::uint32_t number) {
  return static_cast<std::uint32_t>(2 * layer) + number % 2 + ((number / 2) << 24U);
}

[[noreturn]] void too_many_parameters(const BuiltLayer& layer, const Op& op) {
  throw Error("layer '" + layer.name + "' (" + layer.class_name + "): with its weights " + to_string(op.weights().front().shape) +
                  " the model has more than " + std::to_string(kMostParameters) + " parameters",
              kUsage);
}

}  // namespace

Network::Network(const std::vector<LayerSpec>& layers, const Shape& input, std::uint64_t seed)
    : Network(build_layers(layers, input, seed), input, seed) {}

Network::Network(std::vector<BuiltLayer> layers, Shape input, std::uint64_t seed) : input_(std::move(input)) {
  move_relus(layers);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    shapes_.push_back(layers[i].output);
    for (std::unique_ptr<Op>& op : layers[i].ops) {
      if (op == nullptr) continue;  // its neighbour does what it did
      ops_.push_back(std::move(op));
      layer_of_op_.push_back(i);
      names_.push_back(layers[i].name);
    }
  }
  allocate_weights(place_weights(layers));
  list_variables();
  initialize_weights(seed);
  first_trainable_ = ops_.size();
  for (std::size_t i = ops_.size(); i-- > 0;) {
    if (ops_[i]->trainable()) first_trainable_ = i;
  }
}

/// Last layer first, those of frozen ops behind all others. Returns the floats of all, with the padding.
std::int64_t Network::place_weights(const std::vector<BuiltLayer>& layers) {
  std::int64_t total = 0;
  for (const bool frozen : {false, true}) {
    for (std::size_t i = ops_.size(); i-- > 0;) {
      if (ops_[i]->frozen() != frozen) continue;
      ops_[i]->place(&base_, total);
      total += ops_[i]->slice().count;
      if (total > kMostParameters) too_many_parameters(layers[layer_of_op_[i]], *ops_[i]);
    }
    if (!frozen) trainable_parameters_ = total;
  }
  return total;
}

/// Zeros, `total` with the padding.
void Network::allocate_weights(std::int64_t total) {
  MemoryNeed need;
  need.parameters = total;
  for (const auto& op : ops_) need.parameters -= op->padding();
  need.weights = static_cast<double>(total) * sizeof(float);
  need.check(1);
  parameters_ = need.allocating([total] { return Buffer(total); });
  base_ = parameters_.data();
}

/// Runs `work`; its Error gets the names of layer and weight.
template <class Work>
void Network::naming_weight(std::size_t op, const Weight& weight, const Work& work) const {
  try {
    work();
  } catch (const Error& error) {
    throw Error("layer '" + names_[op] + "', weight '" + weight.name + "': " + error.what(), error.exit_code());
  }
}

void Network::list_variables() {
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    for (const Weight& weight : ops_[i]->weights()) {
      if (!weight.trainable || ops_[i]->frozen()) continue;
      variables_.push_back({layer_of_op_[i], weight.name, weight.shape, weight.offset, weight.regularizer});
      if (!weight.constraint.kind) continue;
      naming_weight(i, weight, [&] { constrained_.push_back({weight.offset, WeightConstraint(weight.constraint, weight.shape)}); });
    }
  }
}

void Network::initialize_weights(std::uint64_t seed) {
  std::size_t layer = 0;
  std::uint32_t number = 0;  // of the layer's trainable weights
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    if (layer_of_op_[i] != layer) number = 0;
    layer = layer_of_op_[i];
    for (std::size_t w = 0; w < ops_[i]->weights().size(); ++w) {
      const Weight& weight = ops_[i]->weights()[w];
      if (!weight.initializer) continue;
      naming_weight(i, weight,
                    [&] { initialize(*weight.initializer, weight.shape, seed, weight_id(layer, number++), ops_[i]->values(w)); });
    }
  }
}

void Network::place(Buffer memory, bool keep) {
  if (!keep) std::copy_n(parameters_.data(), parameters_.size(), memory.data());
  parameters_ = std::move(memory);
  base_ = parameters_.data();
}

ActivationFunction Network::output_activation() const {
  for (auto op = ops_.rbegin(); op != ops_.rend(); ++op) {
    if (const auto function = (*op)->activation()) return *function;
  }
  return linear;
}

void Network::set_products(Products products) {
  const auto needs_onednn = [](const std::unique_ptr<Op>& op) { return !op->portable(); };
  if (const auto found = std::find_if(ops_.begin(), ops_.end(), needs_onednn); products == Products::portable && found != ops_.end()) {
    throw Error("layer '" + layer_of(static_cast<std::size_t>(found - ops_.begin())) +
                    "': only oneDNN computes it, not the kernels of 'arithmetic: portable'; take 'arithmetic: onednn'",
                kUsage);
  }
  products_ = products;
  for (std::unique_ptr<Op>& op : ops_) {
    if (std::unique_ptr<Op> other = op->with_products(products)) op = std::move(other);
  }
}

std::optional<RowFlaw> Network::take_flaw() {
  std::optional<RowFlaw> first;
  for (std::size_t i = 0; i < ops_.size(); ++i) {
    std::optional<RowFlaw> flaw = ops_[i]->take_flaw();
    if (flaw && !first) first = {flaw->slot, "layer '" + names_[i] + "': " + flaw->what};
  }
  return first;
}

void Network::prepare(std::int64_t rows, int threads, std::int64_t grains) {
  const std::int64_t of_a_thread = (grains + threads - 1) / threads;
  for (const auto& op : ops_) op->prepare(op->row_count_invariant() ? rows * of_a_thread : rows, threads);
}

}  // namespace lockstep
