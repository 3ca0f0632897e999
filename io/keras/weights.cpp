#include "io/keras/weights.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <map>

#include "cluster/error.h"
#include "core/math/names.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/file.h"
#include "io/hdf5/image.h"
#include "io/keras/legacy_weights.h"
#include "io/keras/stored_weights.h"

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

/// Calls visit(layer, group): "/layers/dense_1", counted per class.
template <class Visit>
void for_each_group(const std::vector<StoredLayer>& layers, const std::string& container, const Visit& visit) {
  std::map<std::string, int> seen;
  for (const StoredLayer& layer : layers) {
    const std::string base = snake_case(layer.class_name);
    const int index = seen[base]++;
    visit(layer, container + "/layers/" + base + (index > 0 ? "_" + std::to_string(index) : ""));
  }
}

/// Every layer with its place in the file, those of models within in their order. `container`: "" or the group of a model.
void append_groups(const std::vector<StoredLayer>& layers, const std::string& container, const std::vector<WeightView>& weights,
                   std::vector<LayerGroup>& groups) {
  for_each_group(layers, container, [&](const StoredLayer& layer, const std::string& group) {
    if (!layer.layers.empty()) return append_groups(layer.layers, group, weights, groups);
    groups.push_back({group + "/vars", layer.name, {}});
    std::copy_if(weights.begin(), weights.end(), std::back_inserter(groups.back().weights),
                 [&](const WeightView& w) { return w.layer == layer.name; });
  });
}

/// Whether a file has the groups of the models among these layers.
bool models_fit(const Hdf5File& file, const std::vector<StoredLayer>& layers) {
  bool fit = true;
  for_each_group(layers, "", [&](const StoredLayer& layer, const std::string& group) {
    fit = fit && (layer.layers.empty() || file.exists(group + "/layers"));
  });
  return fit;
}

std::vector<LayerGroup> layer_groups(Sequential& model, const std::vector<StoredLayer>& layers) {
  std::vector<LayerGroup> groups;
  append_groups(layers, "", model.weights(), groups);
  return groups;
}
std::vector<LayerGroup> layer_groups(Sequential& model) { return layer_groups(model, stored_layers(model)); }

std::vector<std::string> members(const std::vector<std::string>& datasets, const std::string& group) {
  std::vector<std::string> inside;
  std::copy_if(datasets.begin(), datasets.end(), std::back_inserter(inside),
               [&](const std::string& name) { return name.starts_with(group + "/"); });
  return inside;
}

std::string group_name(const std::string& group, std::size_t index) { return group + "/" + std::to_string(index); }

constexpr const char* kOptimizer = "/optimizer/vars";

/// Keras 2.12 to 2.14 call /layers so.
constexpr const char* kKeras2Layers = "/_layer_checkpoint_dependencies";

/// Keras 2.12 and 2.13 leave numbers out (dense, dense_2, dense_4): a class' groups count by their order.
class Keras2Groups {
 public:
  explicit Keras2Groups(const Hdf5File& file) {
    for (const std::string& group : file.groups()) {
      const std::string prefix = kKeras2Layers + std::string("/");
      if (!group.starts_with(prefix) || group.find('/', prefix.size()) != std::string::npos) continue;
      const auto [base, number] = split(group.substr(prefix.size()));
      groups_[base][number] = group;
    }
  }
  /// The group of "/layers/dense_1/vars".
  std::string operator()(const std::string& group) const {
    const std::string prefix = "/layers/";
    const auto [base, number] = split(group.substr(prefix.size(), group.rfind('/') - prefix.size()));
    const auto found = groups_.find(base);
    if (found == groups_.end() || static_cast<std::size_t>(number) >= found->second.size()) return group;
    return std::next(found->second.begin(), number)->second + "/vars";
  }

 private:
  static std::pair<std::string, int> split(const std::string& name) {
    const std::size_t line = name.rfind('_');
    int number = 0;
    if (line == std::string::npos) return {name, 0};
    const auto [end, error] = std::from_chars(name.data() + line + 1, name.data() + name.size(), number);
    if (error != std::errc() || end != name.data() + name.size() || number < 0) return {name, 0};
    return {name.substr(0, line), number};
  }
  std::map<std::string, std::map<int, std::string>> groups_;
};

/// The optimizer's arrays 0, 1, ... and its name.
void find_optimizer(const Hdf5File& file, const std::vector<std::string>& datasets, StoredWeights& stored) {
  const std::string scaled = "/optimizer/inner_optimizer/vars";  // of a mixed_float16 model: the optimizer behind the loss' scale
  const std::string group = file.exists(scaled) ? scaled : kOptimizer;
  for (std::size_t i = 0; i < members(datasets, group).size(); ++i) stored.optimizer.push_back(group_name(group, i));
  if (file.exists(group) && has_attribute(file, group, "name")) stored.optimizer_name = lower(read_string_attribute(file, group, "name"));
}

StoredWeights find_weights(Sequential& model, const Hdf5File& file, const std::vector<StoredLayer>& layers) {
  const std::vector<std::string> datasets = file.datasets();
  std::vector<LayerGroup> groups = layer_groups(model, layers);
  if (file.exists(kKeras2Layers)) {
    const Keras2Groups renamed(file);
    for (LayerGroup& group : groups) group.group = renamed(group.group);
  }
  StoredWeights stored;
  for (const LayerGroup& group : groups) {
    const std::size_t found = members(datasets, group.group).size();
    if (found != group.weights.size()) {
      throw Error(file.path() + ": group '" + group.group + "': layer '" + group.name + "' expected " +
                  std::to_string(group.weights.size()) + " weights, found " + std::to_string(found) +
                  "; the file belongs to another model");
    }
    for (std::size_t i = 0; i < found; ++i) stored.weights.push_back(group_name(group.group, i));
  }
  for (const std::string& name : datasets) {
    const bool known =
        std::any_of(groups.begin(), groups.end(), [&](const LayerGroup& group) { return name.starts_with(group.group + "/"); });
    if (name.starts_with("/layers/") && !known)
      throw Error(file.path() + ": data set '" + name + "' belongs to no layer of model '" + model.name() +
                  "'; the file belongs to another model");
  }
  find_optimizer(file, datasets, stored);
  return stored;
}

bool read_from(Sequential& model, const Hdf5File& file, const std::vector<StoredLayer>& layers, TakeState state) {
  const bool legacy = is_legacy(file);
  const bool nested = legacy ? legacy_layers_fit(model, file, layers) : models_fit(file, layers);
  const std::vector<StoredLayer> stored = nested ? layers : flattened(layers);  // which is how Lockstep writes them
  return read_weights(model, file, legacy ? find_legacy_weights(model, file, stored) : find_weights(model, file, stored), state);
}

void write_layer(Hdf5File& file, const LayerGroup& group) {
  file.create_group(group.group);
  write_string_attribute(file, group.group, "name", group.name);
  for (std::size_t i = 0; i < group.weights.size(); ++i) write_weight(file, group_name(group.group, i), group.weights[i]);
}

/// The number of the first slot's array: behind the number of steps and, unless a schedule has it, the learning rate.
std::size_t first_slot(const Optimizer& optimizer) { return optimizer.scheduled() ? 1 : 2; }

void write_optimizer(Hdf5File& file, Sequential& model) {
  const Optimizer& optimizer = *model.optimizer();
  const std::string group = kOptimizer;
  file.create_group(group);
  write_string_attribute(file, group, "name", lower(class_name(optimizer.spec())));
  file.write<std::int64_t>(kIterations, {}, std::array{optimizer.iterations()});
  if (!optimizer.scheduled()) file.write<float>(kLearningRate, {}, std::array{optimizer.learning_rate()});
  const std::size_t first = first_slot(optimizer);
  const std::vector<SlotView> views = slot_views(model);
  for (std::size_t i = 0; i < views.size(); ++i) file.write<float>(group_name(group, first + i), views[i].shape, views[i].values);
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
  const std::size_t first = first_slot(*model.optimizer());
  for (std::size_t i = 0; i < views.size(); ++i) arrays.push_back({group_name(kOptimizer, first + i), views[i].values});
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

bool load_weights_image(Sequential& model, const std::string& name, std::string_view bytes, const std::vector<StoredLayer>& layers) {
  if (bytes.empty()) throw Error(name + ": is empty; expected an HDF5 file of weights");
  return read_from(model, open_hdf5_image(name, bytes), layers, TakeState::where_it_fits);
}
bool load_weights_image(Sequential& model, const std::string& name, std::string_view bytes) {
  return load_weights_image(model, name, bytes, stored_layers(model));
}

void save_weights(Sequential& model, const std::string& path) {
  if (!path.ends_with(".h5") && !path.ends_with(".hdf5"))
    throw Error(path + ": the name of a weight file must end in .weights.h5 (or .h5, for Keras 2)", kUsage);
  replace_file(path, path.ends_with(".weights.h5") ? weights_image(model, path) : legacy_weights_image(model, path));
}

bool load_weights(Sequential& model, const std::string& path, const std::vector<StoredLayer>& layers) {
  return read_from(model, Hdf5File::open(path), layers, TakeState::where_it_fits);
}
bool load_weights(Sequential& model, const std::string& path) { return load_weights(model, path, stored_layers(model)); }

void load_weights_alone(Sequential& model, const std::string& path, const std::vector<StoredLayer>& layers) {
  read_from(model, Hdf5File::open(path), layers, TakeState::never);
}

void load_weights_and_optimizer(Sequential& model, const std::string& path) {
  read_from(model, Hdf5File::open(path), stored_layers(model), TakeState::always);
}

}  // namespace lockstep
