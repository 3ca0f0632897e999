#include "io/keras/stored_weights.h"

#include <algorithm>
#include <array>
#include <optional>

#include "cluster/error.h"
#include "io/hdf5/written.h"

namespace lockstep {
namespace {

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

std::vector<float> read_array(const Hdf5File& file, const std::string& name, const Shape& shape, const std::string& what) {
  const ArrayInfo info = file.info(name);
  if (info.shape != shape) {
    throw Error(file.path() + ": data set '" + name + "' (" + what + "): expected shape " + to_string(shape) + ", found " +
                to_string(info.shape) + "; the file belongs to another model");
  }
  if (!shape.empty()) expect_written(file, info, 0, shape.front());
  std::vector<float> values(static_cast<std::size_t>(elements(shape)));
  if (shape.empty()) {
    values[0] = static_cast<float>(file.read_scalar(name));
  } else {
    file.read_rows<float>(name, 0, shape.front(), values);
  }
  return values;
}

/// Keras' names of its optimizers. A file may give its optimizer any other name, which then tells nothing.
constexpr std::array kOptimizerNames = {"sgd",       "adam",  "adamw", "rmsprop", "adadelta", "adagrad", "adamax",
                                        "adafactor", "nadam", "ftrl",  "lion",    "lamb",     "muon",    "loss_scale_optimizer"};

bool of_another_optimizer(const StoredWeights& stored, const OptimizerSpec& own) {
  const std::string& name = stored.optimizer_name;
  return name != lower(class_name(own)) && std::find(kOptimizerNames.begin(), kOptimizerNames.end(), name) != kOptimizerNames.end();
}

/// What a file says of the optimizer, checked against the model but not yet put into it.
struct OptimizerState {
  std::int64_t iterations = 0;
  std::optional<float> learning_rate;  // not in files of Keras 2
  std::vector<std::vector<float>> slots;
};

/// The number of steps, the learning rate in files of Keras 3, then the slots, if there has been a step: Keras makes them at the first.
std::optional<OptimizerState> read_optimizer(Sequential& model, const Hdf5File& file, const StoredWeights& stored) {
  const std::vector<std::string>& arrays = stored.optimizer;
  if (!model.compiled() || arrays.empty() || of_another_optimizer(stored, model.optimizer()->spec())) return std::nullopt;
  const std::vector<SlotView> views = slot_views(model);
  if (std::any_of(arrays.begin(), arrays.end(), [&](const std::string& name) { return !file.exists(name); })) return std::nullopt;
  const std::size_t rates = arrays.size() > 1 && file.info(arrays[1]).shape.empty() ? 1 : 0, found = arrays.size() - 1 - rates;
  const bool untrained = found == 0;
  if (found != views.size() && !untrained) return std::nullopt;
  OptimizerState state;
  const double iterations = file.read_scalar(arrays[0]);
  if (!(iterations >= 0 && iterations < 0x1p53))
    throw Error(file.path() + ": data set '" + arrays[0] + "': expected a number of steps, found " + std::to_string(iterations));
  state.iterations = static_cast<std::int64_t>(iterations);
  if (rates == 1) state.learning_rate = static_cast<float>(file.read_scalar(arrays[1]));
  if (untrained && state.iterations > 0 && !views.empty()) return std::nullopt;
  for (std::size_t i = 0; i < views.size(); ++i) {
    state.slots.push_back(untrained ? std::vector<float>(views[i].values.size())
                                    : read_array(file, arrays[1 + rates + i], views[i].shape, "optimizer, " + views[i].name));
  }
  return state;
}

[[noreturn]] void no_state(Sequential& model, const Hdf5File& file, const StoredWeights& stored) {
  const std::string& name = stored.optimizer_name;
  throw Error(file.path() + ": holds " +
                  (stored.optimizer.empty() ? "no state of an optimizer"
                                            : "the state of the optimizer " + (name.empty() ? "(no name)" : "'" + name + "'") + ", " +
                                                  std::to_string(stored.optimizer.size()) + " arrays") +
                  ", but the model is compiled with " + class_name(model.optimizer()->spec()) + ", whose state is " +
                  std::to_string(slot_views(model).size() + 2) + " arrays" +
                  "; resume with the optimizer and the settings the run was started with (training.optimizer), or start a new run",
              kUsage);
}

}  // namespace

std::vector<SlotView> slot_views(Sequential& model) {
  const Optimizer& optimizer = *model.optimizer();
  std::vector<WeightView> trainable;
  for (WeightView& weight : model.weights()) {
    if (weight.trainable) trainable.push_back(std::move(weight));
  }
  const bool adam = std::holds_alternative<Adam>(optimizer.spec()) || std::holds_alternative<AdamW>(optimizer.spec());
  const std::size_t together = adam ? 2 : 0, slots = optimizer.slots().size();
  std::vector<SlotView> views;
  const auto append = [&](std::size_t slot, std::size_t v) {
    views.push_back({trainable[v].layer + "/" + trainable[v].name + "/" + optimizer.slots()[slot].name, trainable[v].shape,
                     model.optimizer_view(slot, v)});
  };
  for (std::size_t v = 0; v < trainable.size(); ++v) {
    for (std::size_t slot = 0; slot < together; ++slot) append(slot, v);
  }
  for (std::size_t slot = together; slot < slots; ++slot) {
    for (std::size_t v = 0; v < trainable.size(); ++v) append(slot, v);
  }
  return views;
}

bool read_weights(Sequential& model, const Hdf5File& file, const StoredWeights& stored, TakeState take) {
  const std::vector<WeightView> weights = model.weights();
  std::vector<std::vector<float>> values;
  for (std::size_t i = 0; i < weights.size(); ++i)
    values.push_back(read_array(file, stored.weights.at(i), weights[i].shape, weights[i].layer + "/" + weights[i].name));
  std::optional<OptimizerState> state;
  if (take != TakeState::never) state = read_optimizer(model, file, stored);
  if (!state && take == TakeState::always) no_state(model, file, stored);
  model.set_weights(values);  // from here on nothing fails
  if (!state) return false;
  model.optimizer()->set_iterations(state->iterations);
  if (state->learning_rate) model.optimizer()->set_learning_rate(*state->learning_rate);
  const std::vector<SlotView> views = slot_views(model);
  for (std::size_t i = 0; i < views.size(); ++i) std::copy(state->slots[i].begin(), state->slots[i].end(), views[i].values.begin());
  return true;
}

bool stored_as_int32(const WeightView& weight) { return weight.name == "count"; }

void write_weight(Hdf5File& file, const std::string& dataset, const WeightView& weight) {
  if (stored_as_int32(weight)) {
    file.write<std::int32_t>(dataset, {}, std::array{static_cast<std::int32_t>(weight.values[0])});
  } else {
    file.write<float>(dataset, weight.shape, weight.values);
  }
}

std::vector<StoredLayer> flattened(const std::vector<StoredLayer>& layers) {
  std::vector<StoredLayer> flat;
  for (const StoredLayer& layer : layers) {
    std::vector<StoredLayer> inner = layer.layers.empty() ? std::vector{layer} : flattened(layer.layers);
    std::move(inner.begin(), inner.end(), std::back_inserter(flat));
  }
  return flat;
}

std::vector<StoredLayer> stored_layers(const Sequential& model) {
  std::vector<StoredLayer> layers;
  for (const LayerSpec& layer : model.layers()) {
    if (!std::holds_alternative<Input>(layer)) layers.push_back({class_name(layer), layer_name(layer)});
  }
  return layers;
}

}  // namespace lockstep
