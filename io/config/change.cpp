#include "io/config/change.h"

#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <array>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr std::array<const char*, 9> kFree = {"run_dir_mode",    "training.epochs",      "cluster",
                                              "coordinator",     "checkpoint",           "data.memory",
                                              "data.train.file", "data.validation.file", "data.test.file"};

std::string text_of(const YAML::Node& node) {
  if (node.IsNull()) return "nothing";
  if (node.IsScalar()) return node.Scalar();
  YAML::Emitter text;
  text.SetMapFormat(YAML::Flow);
  text.SetSeqFormat(YAML::Flow);
  text << node;
  return text.c_str();
}

/// Keys of both mappings, those of `there` first.
std::vector<std::string> keys_of(const YAML::Node& there, const YAML::Node& here) {
  std::vector<std::string> keys;
  for (const YAML::Node* node : {&there, &here}) {
    for (const auto& entry : *node) {
      if (std::find(keys.begin(), keys.end(), entry.first.Scalar()) == keys.end()) keys.push_back(entry.first.Scalar());
    }
  }
  return keys;
}

/// The value of a key, or null.
YAML::Node value(const YAML::Node& map, const std::string& key) {
  const YAML::Node found = map[key];
  return found.IsDefined() ? found : YAML::Node();
}

std::string change(const YAML::Node& there, const YAML::Node& here, const std::string& path) {
  if (std::find(kFree.begin(), kFree.end(), path) != kFree.end()) return "";
  const auto below = [&](const std::string& key) { return path.empty() ? key : path + "." + key; };
  if (there.IsMap() && here.IsMap()) {
    for (const std::string& key : keys_of(there, here)) {
      if (std::string found = change(value(there, key), value(here, key), below(key)); !found.empty()) return found;
    }
    return "";
  }
  if (there.IsSequence() && here.IsSequence() && there.size() == here.size()) {
    for (std::size_t i = 0; i < there.size(); ++i) {
      if (std::string found = change(there[i], here[i], below(std::to_string(i))); !found.empty()) return found;
    }
    return "";
  }
  const std::string before = text_of(there), now = text_of(here);
  return before == now ? "" : path + ": " + before + " there, " + now + " here";
}

}  // namespace

std::string config_change(const std::string& there, const std::string& here) {
  try {
    return change(YAML::Load(there), YAML::Load(here), "");
  } catch (const YAML::Exception& error) {
    throw Error(std::string("the run's config.yaml is no valid YAML: ") + error.what());
  }
}

}  // namespace lockstep
