#include "io/keras/functional.h"

#include <algorithm>
#include <map>

#include "cluster/error.h"

namespace lockstep {
namespace {

std::string text_of(const Json& value) { return value.is_string() ? value.get<std::string>() : ""; }

std::string name_of(const Json& entry) { return text_of(entry.contains("name") ? entry["name"] : entry["config"]["name"]); }

std::string label(const Json& entry) { return "layer '" + name_of(entry) + "' (" + text_of(entry["class_name"]) + ")"; }

[[noreturn]] void no_chain(const std::string& place, const Json& entry, const std::string& what) {
  throw Error(place + ": " + label(entry) + " " + what +
                  "; Lockstep runs chains of layers, not graphs: keep this model in Keras, or save its chain as a Sequential",
              kUsage);
}

/// The layers whose tensors a call is given, collected from Keras 3's arguments of any form.
void collect_sources(const Json& value, std::vector<std::string>& sources) {
  if (text_of(value["class_name"]) == "__keras_tensor__") {
    const Json& history = value["config"]["keras_history"];
    sources.push_back(history.is_array() && !history.empty() ? text_of(history[0]) : "");
  } else if (value.is_array()) {
    for (const Json& one : value) collect_sources(one, sources);
  } else if (value.is_object()) {
    for (const Json::Member& member : value.members()) collect_sources(member.value, sources);
  }
}

/// What a call is given besides tensors: {"training": true}.
void check_arguments(const std::string& place, const Json& entry, const Json& arguments) {
  if (!arguments.is_object()) return;
  for (const Json::Member& member : arguments.members()) {
    const Json& value = member.value;
    if (value.is_null() || value == false || value.is_array() || value.is_object()) continue;
    no_chain(place, entry, "is called with " + member.key + " = " + value.dump());
  }
}

/// The layers whose tensors a node takes: Keras 3 {"args": [tensor], "kwargs": {}}, Keras 2 [["flatten", 0, 0, {}]].
std::vector<std::string> sources_of(const std::string& place, const Json& entry, const Json& node) {
  std::vector<std::string> sources;
  if (node.is_object()) {
    collect_sources(node, sources);
    check_arguments(place, entry, node["kwargs"]);
    return sources;
  }
  if (!node.is_array()) no_chain(place, entry, "has an inbound node of an unknown form");
  for (const Json& tensor : node) {
    if (!tensor.is_array() || tensor.empty()) no_chain(place, entry, "has an inbound node of an unknown form");
    sources.push_back(text_of(tensor[0]));
    if (tensor.size() > 3) check_arguments(place, entry, tensor[3]);
  }
  return sources;
}

/// The names in "input_layers" or "output_layers": ["dense", 0, 0], or a list of such, or an object whose members are such.
std::vector<std::string> ends(const Json& value) {
  if ((!value.is_array() && !value.is_object()) || value.empty()) return {};
  if (value.is_array() && value[0].is_string()) return {text_of(value[0])};
  std::vector<std::string> names;
  for (const Json& one : value) {
    for (std::string& name : ends(one)) names.push_back(std::move(name));
  }
  return names;
}

/// The chain must hold all layers and end in the only output.
void check_end(const std::string& place, const Json& config, const std::vector<Json>& chain) {
  for (const Json& entry : config["layers"]) {
    const bool reached = std::any_of(chain.begin(), chain.end(), [&](const Json& one) { return name_of(one) == name_of(entry); });
    if (!reached) no_chain(place, entry, "is not reached from the input '" + name_of(chain.front()) + "'");
  }
  const std::vector<std::string> outputs = ends(config["output_layers"]);
  for (const std::string& output : outputs) {
    if (output != name_of(chain.back())) no_chain(place, chain.back(), "comes after '" + output + "', which is an output of the model");
  }
  if (outputs.size() > 1) no_chain(place, chain.back(), "is the output of the model " + std::to_string(outputs.size()) + " times");
}

}  // namespace

std::vector<Json> functional_chain(const std::string& place, const Json& config) {
  const Json& layers = config["layers"];
  if (!layers.is_array() || layers.empty()) throw Error(place + ": the Functional model has no layers", kUsage);
  std::map<std::string, std::size_t> next;  // a layer's name -> the layer that takes its output
  std::size_t first = layers.size();
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const Json& entry = layers[i];
    const Json& nodes = entry["inbound_nodes"];
    if (!nodes.is_array() || nodes.empty()) {
      if (first < layers.size()) no_chain(place, entry, "is a second input");
      first = i;
      continue;
    }
    if (nodes.size() > 1) no_chain(place, entry, "is called " + std::to_string(nodes.size()) + " times");
    const std::vector<std::string> sources = sources_of(place, entry, nodes[0]);
    if (sources.size() != 1) no_chain(place, entry, "takes " + std::to_string(sources.size()) + " tensors");
    if (!next.emplace(sources[0], i).second) no_chain(place, entry, "shares its input '" + sources[0] + "' with another layer");
  }
  if (first == layers.size()) throw Error(place + ": the Functional model has no input", kUsage);
  std::vector<Json> chain{layers[first]};
  for (auto at = next.find(name_of(chain.back())); at != next.end() && chain.size() < layers.size(); at = next.find(name_of(chain.back())))
    chain.push_back(layers[at->second]);
  check_end(place, config, chain);
  return chain;
}

}  // namespace lockstep
