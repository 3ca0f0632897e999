// configs/reference.yaml explains every key that the reader knows. The keys come from the reader itself: a key that it does not know makes
// it list those that it knows, and a name that it does not know makes it list the names.
#include <gtest/gtest.h>
#include <yaml-cpp/yaml.h>

#include <algorithm>
#include <cctype>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <regex>
#include <set>
#include <sstream>
#include <string>
#include <vector>

#include "io/config/config.h"

namespace lockstep {
namespace {

const std::string kNoSuchKey = "zzzzzzzzzzzzzzzzzzzz", kNoSuchName = "Zzzzzzzzzzzzzzzzzzzz";

std::filesystem::path reference_path() {
  const char* const source = std::getenv("LOCKSTEP_SOURCE");
  return std::filesystem::path(source == nullptr ? "" : source) / "configs/reference.yaml";
}

/// With the alternatives that stand in comments ("# key: ...") as keys beside the others.
std::string with_alternatives(const std::string& text) {
  static const std::regex alternative(R"(^( *)# ( *(?:- )?[A-Za-z_0-9]+:(?: .*)?)$)");
  std::istringstream lines(text);
  std::string result;
  for (std::string line; std::getline(lines, line);) result += std::regex_replace(line, alternative, "$1$2") + "\n";
  return result;
}

std::string lower(std::string text) {
  for (char& c : text) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return text;
}

/// Keys from the root of a document to a node; "0" is the first element of a list.
using Path = std::vector<std::string>;

Path joined(Path path, const std::string& key) {
  path.push_back(key);
  return path;
}

std::string text_of(const Path& path) {
  std::string text;
  for (const std::string& key : path) text += (text.empty() ? "" : ".") + key;
  return text;
}

YAML::Node at(const YAML::Node& document, const Path& path) {
  YAML::Node node = document;
  for (const std::string& key : path) node.reset(node.IsSequence() ? node[std::stoul(key)] : node[key]);
  return node;
}

YAML::Node with(const YAML::Node& document, const Path& path, const YAML::Node& value) {
  const YAML::Node root = YAML::Clone(document);
  if (path.empty()) return value;
  at(root, path) = YAML::Clone(value);
  return root;
}

/// The reader's error about a document; empty if it reads it.
std::string error_of(const YAML::Node& document) {
  try {
    parse_config(YAML::Dump(document), "reference.yaml");
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

/// The words after `before` in an error: "...; there are: a, b (short for b), c". Nothing if it lists nothing.
std::optional<std::vector<std::string>> listed(const std::string& error, const std::string& before) {
  static const std::regex brackets(R"( \([^)]*\))");
  std::smatch match;
  if (!std::regex_search(error, match, std::regex(before + R"(.*(?:there are: |known are )([^;]*)$)"))) return {};
  std::istringstream words(std::regex_replace(match[1].str(), brackets, ""));
  std::vector<std::string> result;
  for (std::string word; std::getline(words >> std::ws, word, ',');) result.push_back(word);
  return result;
}

/// The names that may stand at a path, if it is one that takes names.
std::optional<std::vector<std::string>> names_at(const YAML::Node& document, const Path& path, const YAML::Node& name) {
  return listed(error_of(with(document, path, name)), "unknown [a-z]+ '" + kNoSuchName + "'");
}

/// Walks through the reference side by side with the reader and collects what it does not explain.
class Comparison {
 public:
  explicit Comparison(std::string text)
      : text_(std::move(text)), plain_(YAML::Load(text_)), explained_(YAML::Load(with_alternatives(text_))) {}

  /// `explained`: the mapping at `path` with the alternatives; `document` is readable and has a mapping there.
  void section(const YAML::Node& document, const Path& path, const YAML::Node& explained) {
    const YAML::Node there = at(document, path);
    YAML::Node probe = YAML::Clone(there.IsMap() ? there : explained.IsMap() ? explained : YAML::Node(YAML::NodeType::Map));
    probe[kNoSuchKey] = 1;
    const std::string error = error_of(with(document, path, probe));
    const auto known = listed(error, kNoSuchKey + "'");
    if (!known) return;  // keys of the user's own, such as classes
    for (const std::string& key : *known) {
      const Path below = joined(path, key);
      keys.push_back(text_of(below));
      if (explained.IsMap() && explained[key].IsDefined())
        value(document, below, explained[key]);
      else if (path.size() == 3 && path[0] == "model" && text_.find("\n      " + key + ": ") != std::string::npos && key == "trainable")
        continue;  // of every layer: explained once
      else
        missing.push_back("the key " + text_of(below));
    }
  }

  /// The reference with its alternatives.
  const YAML::Node& explained() const { return explained_; }

  std::vector<std::string> keys;     ///< that the reader knows
  std::vector<std::string> missing;  ///< of them and of the names that it knows, what the reference does not have

 private:
  void value(const YAML::Node& document, const Path& path, const YAML::Node& explained) {
    if (const auto names = names_at(document, path, YAML::Node(kNoSuchName))) return kinds(document, path, explained, *names);
    YAML::Node list(YAML::NodeType::Sequence);
    list.push_back(kNoSuchName);
    if (const auto names = names_at(document, path, list)) return kinds(with(document, path, list), joined(path, "0"), explained, *names);
    if (explained.IsMap()) section(document, path, explained);
  }

  /// A value that is one of several names, each perhaps with settings: a layer, an optimizer, an activation.
  void kinds(const YAML::Node& document, const Path& path, const YAML::Node& explained, const std::vector<std::string>& names) {
    for (const std::string& name : names) {
      if (!std::regex_search(text_, std::regex("\\b" + name + "\\b", std::regex::icase))) missing.push_back("the name " + name);
      if (!walked_.insert(path.back() + "/" + name).second) continue;  // the same settings under the same key of another kind
      const YAML::Node settings = settings_of(document, path, explained, name);
      const YAML::Node chosen = chosen_kind(document, path, name, settings);
      section(chosen, joined(path, name), settings);
    }
  }

  /// The document with this kind at a path; its settings are those of the reference without its alternatives, if it is there.
  YAML::Node chosen_kind(const YAML::Node& document, const Path& path, const std::string& name, const YAML::Node& settings) const {
    const YAML::Node plain = anywhere(path.size() > 1 && path[0] == "training" ? plain_["training"][path[1]] : plain_, lower(name));
    YAML::Node kind(YAML::NodeType::Map);
    kind[name] = plain.IsMap() && settings.IsMap() ? plain : settings.IsMap() ? settings : YAML::Node(YAML::NodeType::Map);
    return with(document, path, kind);
  }

  /// What explains a kind: beside the others of its list, or once for all places that have it, such as an initializer.
  YAML::Node settings_of(const YAML::Node& document, const Path& path, const YAML::Node& explained, const std::string& name) const {
    YAML::Node settings = beside(explained, lower(name));
    if (settings.IsMap()) {
      EXPECT_EQ(error_of(chosen_kind(document, path, name, settings)), "");
      return settings;
    }
    if (path.size() > 1 && path[1] == "weighted_metrics") settings.reset(beside(explained_["training"]["metrics"], lower(name)));
    if (settings.IsMap()) return settings;
    settings.reset(anywhere(explained_, lower(name)));
    if (settings.IsMap() && error_of(chosen_kind(document, path, name, settings)).empty()) return settings;
    return YAML::Node(YAML::NodeType::Null);
  }

  static YAML::Node beside(const YAML::Node& explained, const std::string& name) {
    const auto in_mapping = [&name](const YAML::Node& mapping) -> YAML::Node {
      for (const auto& entry : mapping) {
        if (lower(entry.first.Scalar()) == name) return entry.second;
      }
      return YAML::Node(YAML::NodeType::Null);
    };
    if (explained.IsMap()) return in_mapping(explained);
    for (std::size_t i = 0; explained.IsSequence() && i < explained.size(); ++i) {
      const YAML::Node settings = explained[i].IsMap() ? in_mapping(explained[i]) : YAML::Node(YAML::NodeType::Null);
      if (!settings.IsNull()) return settings;
    }
    return YAML::Node(YAML::NodeType::Null);
  }

  /// The mapping under this key, wherever it stands; null if there is none.
  static YAML::Node anywhere(const YAML::Node& node, const std::string& name) {
    for (const auto& entry : node) {
      const YAML::Node& value = node.IsMap() ? entry.second : entry;
      if (node.IsMap() && lower(entry.first.Scalar()) == name && value.IsMap()) return value;
      if (const YAML::Node found = anywhere(value, name); !found.IsNull()) return found;
    }
    return YAML::Node(YAML::NodeType::Null);
  }

  std::set<std::string> walked_;  // keys and the names of kinds under them
  std::string text_;
  YAML::Node plain_, explained_;
};

Comparison compared(const std::string& text) {
  Comparison comparison(text);
  comparison.section(YAML::Load(text), {}, comparison.explained());
  return comparison;
}

TEST(Keys, EveryOneIsExplained) {
  const Comparison comparison = compared(read_config_file(reference_path()));
  for (const std::string& what : comparison.missing) ADD_FAILURE() << "configs/reference.yaml does not have " << what;
  for (const std::string key :
       {"coordinator.listen", "training.optimizer.adamw.beta_2", "model.0.Dense.kernel_regularizer.l1", "model.0.Flatten.trainable",
        "model.0.BatchNormalization.gamma_initializer.variance_scaling.mode", "model.0.Dense.bias_constraint.min_max_norm.rate",
        "data.test.rows", "training.metrics.0.binary_accuracy.threshold", "training.loss.huber.delta",
        "training.optimizer.sgd.learning_rate.CosineDecay.alpha"}) {
    EXPECT_EQ(std::count(comparison.keys.begin(), comparison.keys.end(), key), 1) << key << " was not found in the reader";
  }
}

TEST(Keys, OneThatIsNotExplainedIsFound) {
  const std::regex some("\n[ #]*(?:insecure|validation_split|nesterov|beta_1|label_smoothing|l1|invert|threshold):[^\n]*|halving-doubling");
  std::vector<std::string> missing = compared(std::regex_replace(read_config_file(reference_path()), some, "")).missing;
  std::sort(missing.begin(), missing.end());
  missing.erase(std::unique(missing.begin(), missing.end()), missing.end());
  EXPECT_EQ(missing, (std::vector<std::string>{"the key coordinator.insecure",
                                               "the key model.0.ActivityRegularization.l1",
                                               "the key model.0.Dense.activity_regularizer.l1",
                                               "the key model.0.Dense.bias_regularizer.l1",
                                               "the key model.0.Dense.kernel_regularizer.l1",
                                               "the key model.0.Normalization.invert",
                                               "the key model.0.ReLU.threshold",
                                               "the key training.loss.binary_crossentropy.label_smoothing",
                                               "the key training.loss.binary_focal_crossentropy.label_smoothing",
                                               "the key training.loss.categorical_crossentropy.label_smoothing",
                                               "the key training.loss.categorical_focal_crossentropy.label_smoothing",
                                               "the key training.metrics.0.binary_accuracy.threshold",
                                               "the key training.metrics.0.binary_crossentropy.label_smoothing",
                                               "the key training.metrics.0.binary_io_u.threshold",
                                               "the key training.metrics.0.categorical_crossentropy.label_smoothing",
                                               "the key training.metrics.0.f1_score.threshold",
                                               "the key training.metrics.0.f_beta_score.threshold",
                                               "the key training.optimizer.adam.beta_1",
                                               "the key training.optimizer.adamax.beta_1",
                                               "the key training.optimizer.adamw.beta_1",
                                               "the key training.optimizer.lamb.beta_1",
                                               "the key training.optimizer.lion.beta_1",
                                               "the key training.optimizer.muon.nesterov",
                                               "the key training.optimizer.nadam.beta_1",
                                               "the key training.optimizer.schedulefreeadamw.beta_1",
                                               "the key training.optimizer.sgd.nesterov",
                                               "the key training.validation_split",
                                               "the name halving-doubling"}));
}

TEST(Keys, EveryLineWithAKeySaysWhatItIs) {
  std::istringstream lines(with_alternatives(read_config_file(reference_path())));
  for (std::string line; std::getline(lines, line);) {
    if (line.empty() || line.find_first_not_of(' ') == line.find('#')) continue;
    EXPECT_NE(line.find("  # "), std::string::npos) << "no comment: " << line;
  }
}

TEST(Keys, TheReferenceIsAConfiguration) {
  const RunConfig config = parse_config(read_config_file(reference_path()), "reference.yaml");
  EXPECT_EQ(config.name, "reference");
  EXPECT_EQ(config.model.layers.size(), 9U);
}

}  // namespace
}  // namespace lockstep
