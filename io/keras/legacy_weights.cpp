#include "io/keras/legacy_weights.h"

#include <algorithm>
#include <array>

#include "cluster/error.h"
#include "io/hdf5/attributes.h"
#include "io/hdf5/image.h"
#include "io/keras/config.h"

namespace lockstep {
namespace {

constexpr const char* kModel = "/model_weights";
constexpr const char* kOptimizer = "/optimizer_weights";

bool has_list(const Hdf5File& file, const std::string& object, const std::string& name) {
  return has_attribute(file, object, name) || has_attribute(file, object, name + "0");
}

/// A layer of the file that has weights.
struct StoredGroup {
  std::string group;
  std::vector<std::string> datasets;
};

std::vector<std::string> datasets_of(const Hdf5File& file, const std::string& group) {
  std::vector<std::string> datasets;
  if (!file.exists(group)) throw Error(file.path() + ": has no group '" + group + "', which its layer_names list; it is damaged");
  if (!has_list(file, group, "weight_names")) return datasets;
  for (const std::string& name : read_chunked_attribute(file, group, "weight_names")) {
    datasets.push_back(group + "/" + name);
    if (!file.exists(datasets.back()))
      throw Error(file.path() + ": has no data set '" + datasets.back() + "', which its weight_names list; it is damaged");
  }
  return datasets;
}

/// `most`: weights of the model; a file that lists more is refused before they are looked for.
std::vector<StoredGroup> groups_with_weights(const Hdf5File& file, std::size_t most) {
  const std::string root = file.exists(kModel) ? kModel : "";
  const std::string object = root.empty() ? "/" : root;
  if (!has_list(file, object, "layer_names"))
    throw Error(file.path() + ": '" + object + "' has no attribute layer_names; expected an .h5 file of Keras", kUsage);
  std::vector<StoredGroup> groups;
  std::size_t count = 0;
  for (const std::string& layer : read_chunked_attribute(file, object, "layer_names")) {
    StoredGroup group{root + "/" + layer, {}};
    group.datasets = datasets_of(file, group.group);
    count += group.datasets.size();
    if (count > most) {
      throw Error(file.path() + ": group '" + group.group + "': with it the file has more than the " + std::to_string(most) +
                  " weights of the model; the file belongs to another model");
    }
    if (!group.datasets.empty()) groups.push_back(std::move(group));
  }
  return groups;
}

/// A layer of the file's model that has weights, as indices of Sequential::weights().
struct OwnGroup {
  std::string name;
  std::vector<std::size_t> weights;
};

void append_weights(const StoredLayer& layer, const std::vector<WeightView>& weights, OwnGroup& group) {
  for (const StoredLayer& inner : layer.layers) append_weights(inner, weights, group);
  for (std::size_t i = 0; layer.layers.empty() && i < weights.size(); ++i) {
    if (weights[i].layer == layer.name) group.weights.push_back(i);
  }
}

/// A layer lists its weights in order, a model within those that are trained first.
std::vector<OwnGroup> own_groups(const std::vector<StoredLayer>& layers, const std::vector<WeightView>& weights) {
  std::vector<OwnGroup> groups;
  for (const StoredLayer& layer : layers) {
    OwnGroup group{layer.name, {}};
    append_weights(layer, weights, group);
    if (group.weights.empty()) continue;
    std::stable_partition(group.weights.begin(), group.weights.end(), [&](std::size_t i) { return weights[i].trainable; });
    groups.push_back(std::move(group));
  }
  return groups;
}

/// Keras before 2.11 keeps Adam's first slots of all weights before the second ones, and ends their names in "/m:0" and "/v:0".
void interleave_old_slots(std::vector<std::string>& arrays) {
  const auto old = [](const std::string& name) { return name.ends_with("/m:0"); };
  const auto count = static_cast<std::size_t>(std::count_if(arrays.begin(), arrays.end(), old));
  if (count == 0 || arrays.size() < 1 + 2 * count) return;
  std::vector<std::string> ordered{arrays[0]};
  for (std::size_t i = 1; i <= count; ++i) {
    ordered.push_back(arrays[i]);
    ordered.push_back(arrays[count + i]);
  }
  std::copy(ordered.begin(), ordered.end(), arrays.begin());
}

}  // namespace

bool is_legacy(const Hdf5File& file) { return file.exists(kModel) || has_list(file, "/", "layer_names"); }

std::vector<std::string> read_chunked_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  if (has_attribute(file, object, name)) return read_strings_attribute(file, object, name);
  std::vector<std::string> values;
  for (std::size_t i = 0; has_attribute(file, object, name + std::to_string(i)); ++i) {
    for (std::string& value : read_strings_attribute(file, object, name + std::to_string(i))) values.push_back(std::move(value));
  }
  return values;
}

bool legacy_layers_fit(Sequential& model, const Hdf5File& file, const std::vector<StoredLayer>& layers) {
  const std::vector<WeightView> weights = model.weights();
  return own_groups(layers, weights).size() == groups_with_weights(file, weights.size()).size();
}

StoredWeights find_legacy_weights(Sequential& model, const Hdf5File& file, const std::vector<StoredLayer>& layers) {
  const std::vector<WeightView> weights = model.weights();
  const std::vector<OwnGroup> own = own_groups(layers, weights);
  const std::vector<StoredGroup> found = groups_with_weights(file, weights.size());
  if (own.size() != found.size()) {
    throw Error(file.path() + ": expected " + std::to_string(own.size()) + " layers with weights, as model '" + model.name() +
                "' has, found " + std::to_string(found.size()) + "; the file belongs to another model");
  }
  StoredWeights stored{std::vector<std::string>(weights.size()), {}, {}};
  for (std::size_t layer = 0; layer < own.size(); ++layer) {
    const OwnGroup& group = own[layer];
    if (group.weights.size() != found[layer].datasets.size()) {
      throw Error(file.path() + ": group '" + found[layer].group + "': layer '" + group.name + "' expected " +
                  std::to_string(group.weights.size()) + " weights, found " + std::to_string(found[layer].datasets.size()) +
                  "; the file belongs to another model");
    }
    for (std::size_t i = 0; i < group.weights.size(); ++i) stored.weights[group.weights[i]] = found[layer].datasets[i];
  }
  if (file.exists(kOptimizer)) stored.optimizer = datasets_of(file, kOptimizer);
  interleave_old_slots(stored.optimizer);
  return stored;
}

void write_legacy_weights(Hdf5File& file, const std::string& group, Sequential& model) {
  const std::string root = group.empty() ? "/" : group;
  if (!group.empty()) file.create_group(group);
  const std::vector<WeightView> weights = model.weights();
  std::vector<std::string> layers;
  for (const StoredLayer& layer : stored_layers(model)) {
    layers.push_back(layer.name);
    const std::string place = group + "/" + layer.name;
    file.create_group(place);
    std::vector<std::string> names;
    for (const WeightView& weight : weights) {
      if (weight.layer != layer.name) continue;
      names.push_back(model.name() + "/" + layer.name + "/" + weight.name);
      write_weight(file, place + "/" + names.back(), weight);
    }
    write_strings_attribute(file, place, "weight_names", names);
  }
  write_strings_attribute(file, root, "layer_names", layers);
  write_string_attribute(file, root, "backend", "tensorflow");
  write_string_attribute(file, root, "keras_version", kKerasVersion);
}

std::string legacy_weights_image(Sequential& model, const std::string& name) {
  Hdf5File file = create_hdf5_image(name);
  write_legacy_weights(file, "", model);
  return hdf5_image(file);
}

}  // namespace lockstep
