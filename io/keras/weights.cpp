#include "io/keras/weights.h"

#include <algorithm>
#include <array>
#include <map>
#include <optional>

#include "cluster/error.h"
#include "core/math/names.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/file.h"
#include "io/hdf5/image.h"
#include "io/hdf5/written.h"

namespace lockstep {
namespace {

struct LayerGroup {
  std::string group;  ///< "/layers/dense_1/vars"
  std::string name;   ///< the layer's own
  std::vector<WeightView> weights;
};

std::string lower(std::string text) {
  std::transform(text.begin(), text.end(), text.begin(),
                 [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return text;
}

/// Every layer but the input with its place in the file.
std::vector<LayerGroup> layer_groups(Sequential& model) {
  const std::vector<WeightView> weights = model.weights();
  std::map<std::string, int> seen;
  std::vector<LayerGroup> groups;
  for (const LayerSpec& layer : model.layers()) {
    if (std::holds_alternative<Input>(layer)) continue;
    const std::string base = snake_case(class_name(layer));
    const int index = seen[base]++;
    LayerGroup group{"/layers/" + base + (index > 0 ? "_" + std::to_string(index) : "") + "/vars", layer_name(layer), {}};
    std::copy_if(weights.begin(), weights.end(), std::back_inserter(group.weights),
                 [&](const WeightView& w) { return w.layer == group.name; });
    groups.push_back(std::move(group));
  }
  return groups;
}

struct SlotView {
  std::string name;
  Shape shape;
  std::span<float> values;
};

/// The optimizer's arrays in the order of the file: Adam's first two slots alternate per variable, all others follow slot by slot.
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

std::vector<std::string> members(const std::vector<std::string>& datasets, const std::string& group) {
  std::vector<std::string> inside;
  std::copy_if(datasets.begin(), datasets.end(), std::back_inserter(inside),
               [&](const std::string& name) { return name.starts_with(group + "/"); });
  return inside;
}

std::string group_name(const std::string& group, std::size_t index) { return group + "/" + std::to_string(index); }

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

constexpr const char* kOptimizer = "/optimizer/vars";

/// Keras' names of its optimizers. A file may give its optimizer any other name, which then tells nothing.
constexpr std::array kOptimizerNames = {"sgd",       "adam",  "adamw", "rmsprop", "adadelta", "adagrad", "adamax",
                                        "adafactor", "nadam", "ftrl",  "lion",    "lamb",     "muon",    "loss_scale_optimizer"};

/// The optimizer that a file's state is of, by its attribute `name`; empty where there is none.
std::string optimizer_name(const Hdf5File& file) {
  return file.exists(kOptimizer) && has_attribute(file, kOptimizer, "name") ? lower(read_string_attribute(file, kOptimizer, "name")) : "";
}

bool of_another_optimizer(const Hdf5File& file, const OptimizerSpec& own) {
  const std::string name = optimizer_name(file);
  return name != lower(class_name(own)) && std::find(kOptimizerNames.begin(), kOptimizerNames.end(), name) != kOptimizerNames.end();
}

/// What a file says of the optimizer, checked against the model but not yet put into it.
struct OptimizerState {
  std::int64_t iterations = 0;
  float learning_rate = 0;
  std::vector<std::vector<float>> slots;
};

std::optional<OptimizerState> read_optimizer(Sequential& model, const Hdf5File& file, const std::vector<std::string>& datasets) {
  if (!model.compiled()) return std::nullopt;
  if (of_another_optimizer(file, model.optimizer()->spec())) return std::nullopt;
  const std::string group = kOptimizer;
  const std::vector<SlotView> views = slot_views(model);
  const std::size_t found = members(datasets, group).size();
  const bool untrained = found == 2;  // Keras makes the slots at the first step
  if (found != views.size() + 2 && !untrained) return std::nullopt;
  for (std::size_t i = 0; i < found; ++i) {
    if (!file.exists(group_name(group, i))) return std::nullopt;
  }
  OptimizerState state;
  const double iterations = file.read_scalar(group_name(group, 0));
  if (!(iterations >= 0 && iterations < 0x1p53))
    throw Error(file.path() + ": data set '" + group_name(group, 0) + "': expected a number of steps, found " + std::to_string(iterations));
  state.iterations = static_cast<std::int64_t>(iterations);
  state.learning_rate = static_cast<float>(file.read_scalar(group_name(group, 1)));
  if (untrained && state.iterations > 0 && !views.empty()) return std::nullopt;
  for (std::size_t i = 0; i < views.size(); ++i) {
    state.slots.push_back(untrained ? std::vector<float>(views[i].values.size())
                                    : read_array(file, group_name(group, i + 2), views[i].shape, "optimizer, " + views[i].name));
  }
  return state;
}

[[noreturn]] void no_state(Sequential& model, const Hdf5File& file, const std::vector<std::string>& datasets) {
  const std::size_t found = members(datasets, kOptimizer).size();
  const std::string name = optimizer_name(file);
  throw Error(file.path() + ": holds " +
                  (found == 0 ? "no state of an optimizer"
                              : "the state of the optimizer " + (name.empty() ? "(no name)" : "'" + name + "'") + ", " +
                                    std::to_string(found) + " arrays") +
                  ", but the model is compiled with " + class_name(model.optimizer()->spec()) + ", whose state is " +
                  std::to_string(slot_views(model).size() + 2) + " arrays" +
                  "; resume with the optimizer and the settings the run was started with (training.optimizer), or start a new run",
              kUsage);
}

/// What read_model does about a file without the state of the model's optimizer.
enum class Lacking { passed_over, error };

bool read_model(Sequential& model, const Hdf5File& file, Lacking optimizer = Lacking::passed_over) {
  const std::vector<std::string> datasets = file.datasets();
  const std::vector<LayerGroup> groups = layer_groups(model);
  std::vector<std::vector<float>> values;
  for (const LayerGroup& group : groups) {
    const std::size_t found = members(datasets, group.group).size();
    if (found != group.weights.size()) {
      throw Error(file.path() + ": group '" + group.group + "': layer '" + group.name + "' expected " +
                  std::to_string(group.weights.size()) + " weights, found " + std::to_string(found) +
                  "; the file belongs to another model");
    }
    for (std::size_t i = 0; i < group.weights.size(); ++i) {
      values.push_back(read_array(file, group_name(group.group, i), group.weights[i].shape, group.name + "/" + group.weights[i].name));
    }
  }
  for (const std::string& name : datasets) {
    const bool known =
        std::any_of(groups.begin(), groups.end(), [&](const LayerGroup& group) { return name.starts_with(group.group + "/"); });
    if (name.starts_with("/layers/") && !known)
      throw Error(file.path() + ": data set '" + name + "' belongs to no layer of model '" + model.name() +
                  "'; the file belongs to another model");
  }
  const std::optional<OptimizerState> state = read_optimizer(model, file, datasets);
  if (!state && optimizer == Lacking::error) no_state(model, file, datasets);
  model.set_weights(values);  // from here on nothing fails
  if (!state) return false;
  model.optimizer()->set_iterations(state->iterations);
  model.optimizer()->set_learning_rate(state->learning_rate);
  const std::vector<SlotView> views = slot_views(model);
  for (std::size_t i = 0; i < views.size(); ++i) std::copy(state->slots[i].begin(), state->slots[i].end(), views[i].values.begin());
  return true;
}

/// Normalization's count, which no training changes; all other weights are floats.
bool stored_as_int32(const WeightView& weight) { return weight.name == "count"; }

void write_layer(Hdf5File& file, const LayerGroup& group) {
  file.create_group(group.group);
  write_string_attribute(file, group.group, "name", group.name);
  for (std::size_t i = 0; i < group.weights.size(); ++i) {
    const WeightView& weight = group.weights[i];
    if (stored_as_int32(weight)) {
      file.write<std::int32_t>(group_name(group.group, i), {}, std::array{static_cast<std::int32_t>(weight.values[0])});
    } else {
      file.write<float>(group_name(group.group, i), weight.shape, weight.values);
    }
  }
}

void write_optimizer(Hdf5File& file, Sequential& model) {
  const Optimizer& optimizer = *model.optimizer();
  const std::string group = kOptimizer;
  file.create_group(group);
  write_string_attribute(file, group, "name", lower(class_name(optimizer.spec())));
  file.write<std::int64_t>(kIterations, {}, std::array{optimizer.iterations()});
  file.write<float>(kLearningRate, {}, std::array{optimizer.learning_rate()});
  const std::vector<SlotView> views = slot_views(model);
  for (std::size_t i = 0; i < views.size(); ++i) file.write<float>(group_name(group, i + 2), views[i].shape, views[i].values);
}

}  // namespace

std::vector<WeightArray> weight_arrays(Sequential& model) {
  std::vector<WeightArray> arrays;
  for (const LayerGroup& group : layer_groups(model)) {
    for (std::size_t i = 0; i < group.weights.size(); ++i) {
      if (!stored_as_int32(group.weights[i])) arrays.push_back({group_name(group.group, i), group.weights[i].values});
    }
  }
  if (!model.compiled()) return arrays;
  const std::vector<SlotView> views = slot_views(model);
  for (std::size_t i = 0; i < views.size(); ++i) arrays.push_back({group_name(kOptimizer, i + 2), views[i].values});
  return arrays;
}

void write_weights(Hdf5File& file, Sequential& model) {
  file.create_group("/vars");  // Keras up to 3.5 wants it
  write_string_attribute(file, "/vars", "name", model.name());
  for (const LayerGroup& group : layer_groups(model)) write_layer(file, group);
  if (model.compiled()) write_optimizer(file, model);
}

std::string weights_image(Sequential& model, const std::string& name) {
  Hdf5File file = create_hdf5_image(name);
  write_weights(file, model);
  return hdf5_image(file);
}

bool load_weights_image(Sequential& model, const std::string& name, std::string_view bytes) {
  if (bytes.empty()) throw Error(name + ": is empty; expected an HDF5 file of weights");
  return read_model(model, open_hdf5_image(name, bytes));
}

void save_weights(Sequential& model, const std::string& path) {
  if (!path.ends_with(".weights.h5"))
    throw Error(path + ": the name of a weight file must end in .weights.h5 (Keras reads no other)", kUsage);
  replace_file(path, weights_image(model, path));
}

bool load_weights(Sequential& model, const std::string& path) { return read_model(model, Hdf5File::open(path)); }

void load_weights_and_optimizer(Sequential& model, const std::string& path) { read_model(model, Hdf5File::open(path), Lacking::error); }

}  // namespace lockstep
