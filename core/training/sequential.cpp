#include "core/training/sequential.h"

#include <xxhash.h>

#include <algorithm>

#include "cluster/error.h"
#include "core/compile/metrics/names.h"
#include "core/compile/optimizers/whole_steps.h"
#include "core/math/names.h"
#include "core/math/utf8.h"
#include "core/network/memory_need.h"
#include "core/training/dtype.h"
#include "core/training/model_state.h"
#include "core/training/plan.h"
#include "core/training/summary.h"

namespace lockstep {
namespace {

bool name_taken(const std::vector<LayerSpec>& layers, const std::string& name) {
  return std::any_of(layers.begin(), layers.end(), [&](const LayerSpec& layer) { return layer_name(layer) == name; });
}

std::string automatic_name(const std::vector<LayerSpec>& layers, const std::string& class_of) {
  const std::string base = snake_case(class_of);
  std::string name = base;
  for (int i = 1; name_taken(layers, name); ++i) name = base + "_" + std::to_string(i);
  return name;
}

std::vector<LayerSpec> without_input(const ModelState& state) {
  return {state.layers.begin() + (state.has_input() ? 1 : 0), state.layers.end()};
}

void make_optimizer(ModelState& state) {
  if (!state.network || !state.options) return;
  const std::vector<LayerSpec> layers = without_input(state);
  std::vector<OptimizerVariable> variables;
  for (const Variable& variable : state.network->variables()) {
    variables.push_back({variable.offset, elements(variable.shape),
                         state.name + "/" + layer_name(layers[variable.layer]) + "/" + variable.name, variable.shape});
  }
  const std::size_t slots = Optimizer(state.options->optimizer, 0, {}).slots().size();
  MemoryNeed need = MemoryNeed::of(*state.network, slots, 0, 0, true);
  need.taken = static_cast<double>(state.network->parameters().size() * sizeof(float));
  for (const OptimizerVariable& variable : variables)
    need.rows += static_cast<double>(work_floats(state.options->optimizer, variable)) * sizeof(float);
  need.check(1);
  need.allocating([&] {
    state.optimizer = std::make_unique<Optimizer>(state.options->optimizer, state.network->trainable_parameters(), std::move(variables));
    state.optimizer->start(state.network->parameters());
  });
}

/// Numbers of an optimizer's state beside that of steps.
std::int64_t state_size(const Optimizer& optimizer) {
  auto size = static_cast<std::int64_t>(optimizer.numbers().size()) + (optimizer.scheduled() ? 0 : 1);
  for (std::size_t slot = 0; slot < optimizer.slots().size(); ++slot) {
    for (std::size_t v = 0; v < optimizer.variables().size(); ++v) {
      if (const auto shape = optimizer.slot_shape(slot, v)) size += elements(*shape);
    }
  }
  return size;
}

}  // namespace

Network& ModelState::built() const {
  if (!network) throw Error("model '" + name + "' has no weights yet; put an Input layer first, or call build(shape)", kUsage);
  return *network;
}

bool ModelState::fused() const {
  return (fuses_softmax(options->loss) && network->ends_in(softmax)) || (fuses_sigmoid(options->loss) && network->ends_in(sigmoid));
}

void ModelState::choose_ops(const World& world) {
  const bool bfloat16 = policy == DtypePolicy::mixed_bfloat16 && every_rank_has_bfloat16(world);
  network->set_products(bfloat16 ? Products::bfloat16 : arithmetic == Arithmetic::portable ? Products::portable : Products::onednn);
}

std::vector<MetricSpec> ModelState::resolved_metrics(std::int64_t truth_width) const {
  check_loss_shapes(options->loss, truth_width, network->output_width());
  std::vector<MetricSpec> metrics;
  const MetricShape shape{
      .output_width = network->output_width(), .truth_width = truth_width, .logits = from_logits(options->loss).value_or(false)};
  for (const MetricSpec& metric : options->metrics) metrics.push_back(resolve(metric, shape));
  return metrics;
}

void ModelState::need_input(Sequential& model, const Dataset& data) {
  if (!network) model.build(data.sample_shape());
  if (network->input_shape() != data.sample_shape()) {
    throw Error(data.description() + ": rows have shape " + to_string(data.sample_shape()) + ", but model '" + name + "' expects " +
                    to_string(network->input_shape()),
                kUsage);
  }
}

Sequential::Sequential(std::initializer_list<LayerSpec> layers, std::string name)
    : Sequential(std::vector<LayerSpec>(layers), std::move(name)) {}

Sequential::Sequential(std::vector<LayerSpec> layers, std::string name) : state_(std::make_unique<ModelState>()) {
  state_->name = std::move(name);
  for (LayerSpec& layer : layers) add(std::move(layer));
}

Sequential::~Sequential() = default;
Sequential::Sequential(Sequential&&) noexcept = default;
Sequential& Sequential::operator=(Sequential&&) noexcept = default;

void Sequential::add(LayerSpec layer) {
  if (state_->network)
    throw Error("model '" + state_->name + "' is built already; add all layers before build, fit, evaluate or predict", kUsage);
  const std::string& name = layer_name(layer);
  if (std::holds_alternative<Input>(layer) && !state_->layers.empty()) {
    throw Error("Input must be the first layer of model '" + state_->name + "', and there can be only one", kUsage);
  }
  if (!name.empty() && name_taken(state_->layers, name))
    throw Error("model '" + state_->name + "' has a layer named '" + name + "' already", kUsage);
  if (name.find('/') != std::string::npos) throw Error("layer name '" + name + "' must not contain '/'", kUsage);
  if (const auto at = not_utf8(name)) throw Error("layer name '" + name + "' is not UTF-8 (" + byte_text(name, *at) + ")", kUsage);
  if (name.empty()) layer_name(layer) = automatic_name(state_->layers, class_name(layer));
  state_->layers.push_back(std::move(layer));
}

void Sequential::set_seed(std::uint64_t seed) {
  if (state_->network) throw Error("model '" + state_->name + "': set_seed comes before the weights are made", kUsage);
  state_->seed = seed;
}
std::uint64_t Sequential::seed() const { return state_->seed; }

void Sequential::set_dtype_policy(DtypePolicy policy) { state_->policy = policy; }
DtypePolicy Sequential::dtype_policy() const { return state_->policy; }

void Sequential::set_arithmetic(Arithmetic arithmetic) { state_->arithmetic = arithmetic; }
Arithmetic Sequential::arithmetic() const { return state_->arithmetic; }

void Sequential::build(const Shape& sample_shape) {
  if (state_->network) return;
  if (state_->has_input() && std::get<Input>(state_->layers.front()).shape != sample_shape) {
    throw Error("model '" + state_->name + "' has an Input of shape " + to_string(std::get<Input>(state_->layers.front()).shape) +
                    " and cannot be built for " + to_string(sample_shape),
                kUsage);
  }
  state_->network = std::make_unique<Network>(without_input(*state_), sample_shape, state_->seed);
  make_optimizer(*state_);
}

bool Sequential::built() const { return state_->network != nullptr; }

void Sequential::compile(CompileOptions options) {
  name_metrics(options.metrics);
  check_reduction(options.loss, options.reduction);
  const Optimizer checked(options.optimizer, 0, {});  // wrong hyper-parameters are told here, not at the first step
  state_->options = std::move(options);
  if (!state_->network && state_->has_input()) build(std::get<Input>(state_->layers.front()).shape);
  make_optimizer(*state_);
}

bool Sequential::compiled() const { return state_->options.has_value(); }

void Sequential::check(const Dataset& data) {
  if (!compiled()) throw Error("model '" + name() + "' is not compiled; call compile({.loss = ..., .optimizer = ...})", kUsage);
  if (data.rows() == 0) throw Error(data.description() + ": has no rows", kUsage);
  if (data.truth_width() == 0) throw Error(data.description() + ": has no truth ('y') to compare with", kUsage);
  state_->need_input(*this, data);
  const Shape& output = state_->layers.size() > (state_->has_input() ? 1U : 0U) ? output_shape(state_->layers.size() - 1) : input_shape();
  if (output.size() > 1) {
    throw Error("model '" + name() + "' has an output of shape " + to_string(output) + " per row, but the truth of " + data.description() +
                    " is a row of numbers; put a Flatten layer before the last ones",
                kUsage);
  }
  state_->resolved_metrics(data.truth_width());
}

TrainingPlan Sequential::plan(const Dataset& train, const FitOptions& options, const World& world) {
  world.agree([&] {
    check(train);
    if (options.validation_data != nullptr) check(*options.validation_data);
  });
  return make_plan(*state_, train, options, world);
}

TrainingPlan Sequential::plan(const Dataset& train, const FitOptions& options, const JobShape& job) {
  check(train);
  return outline_plan(*state_, train, options, job);
}

void Sequential::set_names(DataNames names) { state_->data_names = std::move(names); }
const DataNames& Sequential::names() const { return state_->data_names; }

const std::string& Sequential::name() const { return state_->name; }
const std::vector<LayerSpec>& Sequential::layers() const { return state_->layers; }

const LayerSpec& Sequential::get_layer(const std::string& name) const {
  std::string names;
  for (const LayerSpec& layer : state_->layers) {
    if (layer_name(layer) == name) return layer;
    names += (names.empty() ? "" : ", ") + layer_name(layer);
  }
  throw Error("model '" + state_->name + "' has no layer '" + name + "'; it has: " + names, kUsage);
}

const Shape& Sequential::output_shape(std::size_t layer) const {
  const Network& network = state_->built();
  if (!state_->has_input()) return network.output_shape(layer);
  return layer == 0 ? network.input_shape() : network.output_shape(layer - 1);
}
const Shape& Sequential::input_shape() const { return state_->built().input_shape(); }
std::int64_t Sequential::output_width() const { return state_->built().output_width(); }
ActivationFunction Sequential::output_activation() const { return state_->built().output_activation(); }

std::vector<LayerProduct> Sequential::products() const {
  std::vector<LayerProduct> products;
  for (const auto& op : state_->built().ops()) {
    if (const ConvolutionShape* shape = op->convolution()) {
      products.push_back({op->in, op->out, 1, shape->bias, op->activation().value_or(linear), *shape});
    }
    const Product* product = op->product();
    if (product == nullptr) continue;
    products.push_back({product->in, product->out, product->repeat, product->bias >= 0, op->activation().value_or(linear)});
  }
  return products;
}

std::vector<WeightView> Sequential::weights() {
  Network& network = state_->built();
  std::vector<WeightView> weights;
  for (std::size_t i = 0; i < network.ops().size(); ++i) {
    Op& op = *network.ops()[i];
    for (std::size_t w = 0; w < op.weights().size(); ++w) {
      const Weight& weight = op.weights()[w];
      weights.push_back({network.layer_of(i), weight.name, weight.shape, weight.trainable && !op.frozen(), op.values(w)});
    }
  }
  return weights;
}

std::vector<std::vector<float>> Sequential::get_weights() {
  std::vector<std::vector<float>> values;
  for (const WeightView& weight : weights()) values.emplace_back(weight.values.begin(), weight.values.end());
  return values;
}

void Sequential::set_weights(const std::vector<std::vector<float>>& values) {
  const std::vector<WeightView> views = weights();
  if (views.size() != values.size()) {
    throw Error("set_weights: model '" + state_->name + "' has " + std::to_string(views.size()) + " weights, found " +
                    std::to_string(values.size()),
                kUsage);
  }
  for (std::size_t i = 0; i < views.size(); ++i) {
    if (views[i].values.size() == values[i].size()) continue;
    throw Error("set_weights: weight " + views[i].layer + "/" + views[i].name + " of shape " + to_string(views[i].shape) + " needs " +
                    std::to_string(views[i].values.size()) + " values, found " + std::to_string(values[i].size()),
                kUsage);
  }
  for (std::size_t i = 0; i < views.size(); ++i) std::copy(values[i].begin(), values[i].end(), views[i].values.begin());
  if (state_->optimizer && state_->optimizer->iterations() == 0) state_->optimizer->start(state_->network->parameters());
}

std::uint64_t Sequential::digest() {
  const std::unique_ptr<XXH64_state_t, decltype(&XXH64_freeState)> state(XXH64_createState(), XXH64_freeState);
  if (state == nullptr || XXH64_reset(state.get(), 0) != XXH_OK) throw Error("no memory for the digest of the weights");
  for (const WeightView& weight : weights()) {
    if (XXH64_update(state.get(), weight.values.data(), weight.values.size_bytes()) != XXH_OK) {
      throw Error("cannot compute the digest of the weights");
    }
  }
  return XXH64_digest(state.get());
}

std::string Sequential::summary(int columns) const {
  SummaryModel model{state_->name, {}, {}, {}, {}};
  const std::vector<LayerSpec> layers = without_input(*state_);
  const std::vector<WeightView> weights = state_->network ? const_cast<Sequential*>(this)->weights() : std::vector<WeightView>();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    SummaryRow row{layer_name(layers[i]), class_name(layers[i]), "", -1};
    if (state_->network) {
      row.shape = to_string(state_->network->output_shape(i), true);
      row.params = 0;
    }
    for (const WeightView& weight : weights) {
      if (weight.layer != row.name) continue;
      const auto size = static_cast<std::int64_t>(weight.values.size());
      row.params += size;
      SummaryCount& total = weight.trainable ? model.trainable : model.non_trainable;
      total.params += size;
      total.bytes += size * 4;
    }
    model.rows.push_back(std::move(row));
  }
  if (state_->optimizer &&
      state_->optimizer->iterations() > 0) {  // Keras makes the state at the first step: iteration, learning rate, slots
    const std::int64_t floats = state_size(*state_->optimizer);
    model.optimizer = {floats + 1, floats * 4 + 8};
  }
  return summary_table(model, columns);
}

const CompileOptions& Sequential::compile_options() const {
  if (!state_->options) throw Error("model '" + state_->name + "' is not compiled; call compile({.loss = ..., .optimizer = ...})", kUsage);
  return *state_->options;
}

Optimizer* Sequential::optimizer() { return state_->optimizer.get(); }

std::span<float> Sequential::optimizer_view(std::size_t slot, std::size_t trainable_weight) {
  const Variable& variable = state_->built().variables().at(trainable_weight);
  compile_options();  // throws unless compiled
  const std::optional<Shape> shape = state_->optimizer->slot_shape(slot, trainable_weight);
  return state_->optimizer->slots().at(slot).values.span().subspan(static_cast<std::size_t>(variable.offset),
                                                                   shape ? static_cast<std::size_t>(elements(*shape)) : 0);
}

}  // namespace lockstep
