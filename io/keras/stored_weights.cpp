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
constexpr std::array kOptimizerNames = {
    "sgd",   "adam", "adamw", "rmsprop", "adadelta", "adagrad",           "adamax", "adafactor",
    "nadam", "ftrl", "lion",  "lamb",    "muon",     "schedulefreeadamw", "lars",   "loss_scale_optimizer"};

bool of_another_optimizer(const StoredWeights& stored, const OptimizerSpec& own) {
  const std::string& name = stored.optimizer_name;
  return name != lower(class_name(own)) && std::find(kOptimizerNames.begin(), kOptimizerNames.end(), name) != kOptimizerNames.end();
}

/// What a file says of the optimizer, checked against the model but not yet put into it.
struct OptimizerState {
  std::int64_t iterations = 0;
  std::optional<float> learning_rate;  // not in files of Keras 2, nor with a schedule
  std::vector<std::vector<float>> slots;
};

/// The number of steps, the learning rate in files of Keras 3 without a schedule, then the slots, if there has been a step: Keras makes
/// them at the first.
std::optional<OptimizerState> read_optimizer(Sequential& model, const Hdf5File& file, const StoredWeights& stored) {
  std::vector<std::string> arrays = stored.optimizer;
  if (!model.compiled() || arrays.empty() || of_another_optimizer(stored, model.optimizer()->spec())) return std::nullopt;
  const std::vector<SlotView> views = slot_views(model);
  if (std::any_of(arrays.begin(), arrays.end(), [&](const std::string& name) { return !file.exists(name); })) return std::nullopt;
  const bool untrained = arrays.size() == 1 || (arrays.size() == 2 && file.info(arrays[1]).shape.empty());
  const std::size_t others = 1 + (untrained ? 0 : views.size());  // without the rate
  if (arrays.size() != others && arrays.size() != others + 1) return std::nullopt;
  const std::size_t rates = arrays.size() - others;
  const auto first = arrays.begin() + static_cast<std::ptrdiff_t>(1 + rates);
  const bool has_number = !untrained && !model.optimizer()->numbers().empty();
  if (has_number && file.info(*first).shape.empty())
    std::rotate(first, first + 1, arrays.end());  // Keras up to 3.9 has it before the slots
  OptimizerState state;
  const double iterations = file.read_scalar(arrays[0]);
  if (!(iterations >= 0 && iterations < 0x1p53))
    throw Error(file.path() + ": data set '" + arrays[0] + "': expected a number of steps, found " + std::to_string(iterations));
  state.iterations = static_cast<std::int64_t>(iterations);
  if (rates == 1) state.learning_rate = static_cast<float>(file.read_scalar(arrays[1]));
  if (untrained && state.iterations > 0 && !views.empty()) return std::nullopt;
  for (std::size_t i = 0; i < views.size() && !untrained; ++i)
    state.slots.push_back(read_array(file, arrays[1 + rates + i], views[i].shape, "optimizer, " + views[i].name));
  return state;
}

[[noreturn]] void no_state(Sequential& model, const Hdf5File& file, const StoredWeights& stored) {
  const std::string& name = stored.optimizer_name;
  throw Error(file.path() + ": holds " +
                  (stored.optimizer.empty() ? "no state of an optimizer"
                                            : "the state of the optimizer " + (name.empty() ? "(no name)" : "'" + name + "'") + ", " +
                                                  std::to_string(stored.optimizer.size()) + " arrays") +
                  ", but the model is compiled with " + class_name(model.optimizer()->spec()) + ", whose state is " +
                  std::to_string(slot_views(model).size() + (model.optimizer()->scheduled() ? 1 : 2)) + " arrays" +
                  "; resume with the optimizer and the settings the run was started with (training.optimizer), or start a new run",
              kUsage);
}

}  // namespace

std::vector<SlotView> slot_views(Sequential& model) {
  Optimizer& optimizer = *model.optimizer();
  const std::vector<OptimizerSlot>& slots = optimizer.slots();
  std::vector<SlotView> views;
  for (std::size_t first = 0, last = 0; first < slots.size(); first = last) {
    while (last < slots.size() && slots[last].group == slots[first].group) ++last;
    for (std::size_t v = 0; v < optimizer.variables().size(); ++v) {
      for (std::size_t slot = first; slot < last; ++slot) {
        const std::optional<Shape> shape = optimizer.slot_shape(slot, v);
        if (shape) views.push_back({optimizer.variables()[v].path + "/" + slots[slot].name, *shape, model.optimizer_view(slot, v)});
      }
    }
  }
  for (OptimizerNumber& number : optimizer.numbers()) views.push_back({number.name, {}, {&number.value, 1}});
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
  if (state) model.optimizer()->set_iterations(state->iterations);  // slots of one without steps start with the weights
  model.set_weights(values);                                        // from here on nothing fails
  if (!state) return false;
  if (state->learning_rate && !model.optimizer()->scheduled()) model.optimizer()->set_learning_rate(*state->learning_rate);
  const std::vector<SlotView> views = slot_views(model);
  for (std::size_t i = 0; i < state->slots.size(); ++i) std::copy(state->slots[i].begin(), state->slots[i].end(), views[i].values.begin());
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
