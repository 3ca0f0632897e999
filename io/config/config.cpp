#include "io/config/config.h"

#include <algorithm>
#include <charconv>
#include <fstream>
#include <map>
#include <sstream>

#include "cluster/regular_file.h"
#include "core/compile/metrics/names.h"
#include "core/data/limits.h"
#include "core/math/utf8.h"
#include "io/config/keras_model.h"
#include "io/config/model.h"

namespace lockstep {
namespace {

/// A copy that stands at no line of a file: errors in it are told as errors of --set.
YAML::Node without_line(const YAML::Node& parsed) {
  YAML::Node copy(parsed.Type());
  if (parsed.IsScalar()) copy = parsed.Scalar();
  for (const auto& entry : parsed) {
    if (parsed.IsSequence()) copy.push_back(without_line(entry));
    if (parsed.IsMap()) copy[without_line(entry.first)] = without_line(entry.second);
  }
  copy.SetTag(parsed.Tag());
  return copy;
}

/// a.b.2.c=value onto the tree; makes the mappings that are missing on the way.
void apply_override(YAML::Node& root, const std::string& assignment, const std::string& file) {
  const std::size_t equals = assignment.find('=');
  if (equals == std::string::npos || equals == 0)
    throw Error("--set " + assignment + ": expected key=value, e.g. --set training.epochs=3", kUsage);
  YAML::Node node = root;
  std::istringstream path(assignment.substr(0, equals));
  for (std::string key; std::getline(path, key, '.');) {
    if (key.empty()) throw Error("--set " + assignment + ": the key has an empty part", kUsage);
    if (!node.IsSequence()) {
      if (node.IsDefined() && !node.IsMap() && !node.IsNull())
        throw Error("--set " + assignment + ": '" + key + "' lies below a plain value in " + file, kUsage);
      node.reset(node[key]);
      continue;
    }
    std::size_t index = 0;
    const auto [end, error] = std::from_chars(key.data(), key.data() + key.size(), index);
    if (error != std::errc() || end != key.data() + key.size() || index >= node.size()) {
      throw Error("--set " + assignment + ": '" + key + "' must be the number of an element, 0 to " + std::to_string(node.size() - 1),
                  kUsage);
    }
    node.reset(node[index]);
  }
  try {
    node = without_line(YAML::Load(assignment.substr(equals + 1)));
  } catch (const YAML::Exception& error) {
    throw Error("--set " + assignment + ": the value is no YAML: " + error.msg, kUsage);
  }
}

/// A key that is given two values: which of them counts is anybody's guess.
void expect_one_value(const std::vector<std::string>& overrides) {
  std::map<std::string, std::string> values;
  for (const std::string& assignment : overrides) {
    const std::size_t equals = assignment.find('=');
    if (equals == std::string::npos) continue;
    const std::string key = assignment.substr(0, equals), value = assignment.substr(equals + 1);
    const auto [before, first] = values.try_emplace(key, value);
    if (first || before->second == value) continue;
    throw Error("--set: '" + key + "' is given twice, as " + before->second + " and as " + value +
                    "; give one of them (options such as --epochs set their key, too)",
                kUsage);
  }
}

/// Names go into JSON, HDF5 and messages to other programs, which all want UTF-8.
void check_text(const std::string& text, const std::string& file, const std::vector<std::string>& overrides) {
  if (const auto at = not_utf8(text)) {
    const auto line = 1 + std::count(text.begin(), text.begin() + static_cast<std::ptrdiff_t>(*at), '\n');
    throw Error(file + ":" + std::to_string(line) + ": " + byte_text(text, *at) + " is no UTF-8; save the file in that encoding", kUsage);
  }
  for (const std::string& assignment : overrides) {
    if (const auto at = not_utf8(assignment))
      throw Error("--set " + assignment + ": " + byte_text(assignment, *at) + " is no UTF-8", kUsage);
  }
}

RowRange read_rows(const ConfigSection& section, const YAML::Node& node) {
  if (!node.IsSequence() || node.size() != 2) section.fail(node, "rows", "must be [first, last), e.g. [0, 55000]");
  const RowRange rows{section.as_integer(node[0], "rows"), section.as_integer(node[1], "rows")};
  if (rows.first < 0 || rows.last <= rows.first) section.fail(node, "rows", "must be a range 0 <= first < last");
  return rows;
}

/// Names of data sets that are columns of the features, or one that holds all.
void read_features(ConfigSection& section, Hdf5Options& options) {
  const auto node = section.find("features");
  if (!node) return;
  if (!node->IsSequence()) {
    options.features = section.as_text(*node, "features");
    return;
  }
  for (const YAML::Node& name : *node) options.variables.push_back(section.as_text(name, "features"));
  if (options.variables.empty()) section.fail(*node, "features", "must name at least one data set");
}

/// `all`: what holds for all parts.
DataConfig read_data(ConfigSection section, const Hdf5Options& all) {
  DataConfig data;
  data.options = all;
  data.file = section.as_text(section.need("file"), "file");
  data.group = section.text("group", "");
  if (const auto rows = section.find("rows")) data.options.rows = read_rows(section, *rows);
  read_features(section, data.options);
  data.options.truth = section.text("truth", data.options.truth);
  data.options.weight = section.text("weight", data.options.weight);
  section.finish();
  return data;
}

void read_all_data(ConfigSection section, RunConfig& config) {
  const auto memory = section.find("memory");
  Hdf5Options all;
  if (memory) all.memory_budget = section.as_bytes(*memory, "memory");
  all.transpose = section.flag("transpose", false);
  all.first_label = section.integer("first_label", 0, 0);
  const auto part = [&](const std::string& key) -> std::optional<DataConfig> {
    const auto node = section.find(key);
    if (!node) return {};
    return read_data(ConfigSection(*node, section.file(), section.path_of(key)), all);
  };
  section.need("train");
  config.train = *part("train");
  config.validation = part("validation");
  config.test = part("test");
  section.finish();
}

/// A value that is one of several names, where the key is there.
template <class FromName, class Value>
void read_named(ConfigSection& section, const char* key, const FromName& from_name, Value& value) {
  const auto node = section.find(key);
  if (!node) return;
  try {
    value = from_name(section.as_text(*node, key));
  } catch (const Error& error) {
    section.fail(*node, key, std::string("names an ") + error.what());
  }
}

void read_training(ConfigSection section, RunConfig& config) {
  config.compile = read_compile(section);
  config.fit.epochs = section.integer("epochs", 1, 1);
  config.fit.batch_size = section.integer("batch_size", 32, 1, kMostBatchRows);
  config.fit.shuffle = section.flag("shuffle", true);
  const std::string on_nan = section.text("on_nan", "stop");
  config.fit.stop_on_nan = on_nan == "stop";
  if (const auto node = section.find("on_nan"); node && on_nan != "stop" && on_nan != "continue")
    section.fail(*node, "on_nan", "must be stop or continue");
  config.fit.shards = section.integer("shards", 0, 0, kMostShards);
  config.fit.validation_split = section.number("validation_split", 0);
  if (const auto split = section.find("validation_split");
      split && !(config.fit.validation_split >= 0 && config.fit.validation_split < 1)) {
    section.fail(*split, "validation_split", "must lie in [0, 1)");
  }
  read_named(section, "mixed_precision", mixed_precision_from_name, config.mixed_precision);
  read_named(section, "arithmetic", arithmetic_from_name, config.arithmetic);
  if (const auto weights = section.find("class_weight")) {
    const ConfigSection classes(*weights, section.file(), section.path_of("class_weight"));
    for (const auto& entry : *weights) {
      config.fit.class_weight[classes.as_integer(entry.first, "class")] = classes.as_single(entry.second, entry.first.Scalar());
    }
  }
  section.finish();
}

void read_cluster(ConfigSection section, RunConfig& config) {
  read_named(section, "allreduce", allreduce_from_name, config.fit.allreduce);
  read_named(section, "exchange", exchange_from_name, config.fit.exchange);
  if (config.fit.exchange == ExchangeKind::factors && config.fit.allreduce != AllreduceAlgorithm::automatic) {
    section.fail(*section.find("allreduce"), "allreduce",
                 "cannot be chosen with exchange: factors, which sums no gradients; leave it out, or exchange: gradients");
  }
  read_named(section, "progress", progress_from_name, config.fit.progress);
  const auto not_reproducible = [&](const char* key) {
    section.fail(
        *section.find(key), key,
        "cannot be forced in a reproducible run ('reproducible: true'), which exchanges factors and sums in one fixed order; leave it out");
  };
  if (config.fit.reproducible && config.fit.allreduce != AllreduceAlgorithm::automatic) not_reproducible("allreduce");
  if (config.fit.reproducible && config.fit.exchange == ExchangeKind::gradients) not_reproducible("exchange");
  config.fit.threads = static_cast<int>(section.integer("threads", 0, 0, 4096));
  config.timeout = section.number("timeout", config.timeout);
  if (const auto node = section.find("timeout"); node && !(config.timeout > 0))
    section.fail(*node, "timeout", "must be a number of seconds above 0");
  section.finish();
}

void read_coordinator(ConfigSection section, RunConfig& config) {
  config.coordinator = section.flag("enabled", true);
  CoordinatorOptions& options = config.coordinator_options;
  options.listen = section.text("listen", options.listen);
  options.port = static_cast<int>(section.integer("port", 0, 0, 65535));
  options.insecure = section.flag("insecure", false);
  options.heartbeat_seconds = section.number("heartbeat_seconds", options.heartbeat_seconds);
  if (const auto seconds = section.find("heartbeat_seconds"); seconds && options.heartbeat_seconds <= 0) {
    section.fail(*seconds, "heartbeat_seconds", "must be above 0");
  }
  section.finish();
}

void read_checkpoint(ConfigSection section, RunConfig& config) {
  CheckpointConfig& checkpoint = config.checkpoint;
  checkpoint.every_epochs = section.integer("every_epochs", checkpoint.every_epochs, 0);
  checkpoint.every_steps = section.integer("every_steps", checkpoint.every_steps, 0);
  checkpoint.every_seconds = section.number("every_seconds", checkpoint.every_seconds);
  if (checkpoint.every_seconds < 0) section.fail(*section.find("every_seconds"), "every_seconds", "must not be negative");
  checkpoint.keep = section.integer("keep", checkpoint.keep, 1);
  checkpoint.monitor = section.text("monitor", "");
  std::vector<std::string> known = {"loss"};
  std::vector<MetricSpec> metrics = config.compile.metrics;
  name_metrics(metrics);
  for (const MetricSpec& metric : metrics) known.push_back(metric.name);
  if (config.validation || config.fit.validation_split > 0) {
    for (std::size_t i = known.size(); i-- > 0;) known.push_back("val_" + known[i]);
  }
  if (const auto monitor = section.find("monitor"); monitor && std::find(known.begin(), known.end(), checkpoint.monitor) == known.end()) {
    std::string names;
    for (const std::string& name : known) names += (names.empty() ? "" : ", ") + name;
    section.fail(*monitor, "monitor", "names no value of this run's epochs; there are: " + names);
  }
  const std::string mode = section.text("mode", "auto");
  if (mode != "auto" && mode != "min" && mode != "max")
    section.fail(*section.find("mode"), "mode", "must be auto, min or max, found '" + mode + "'");
  if (mode != "auto") checkpoint.larger_is_better = mode == "max";
  section.finish();
}

RunConfig read(const YAML::Node& root, const std::string& file) {
  RunConfig config;
  ConfigSection section(root, file, "");
  config.name = section.text("name", std::filesystem::path(file).stem().string());
  if (config.name.empty() || config.name.find('/') != std::string::npos) section.fail(root, "name", "must be a name without '/'");
  config.seed = static_cast<std::uint64_t>(section.integer("seed", 0, 0));
  config.fit.reproducible = section.flag("reproducible", false);
  if (const auto mode = section.find("run_dir_mode")) {
    const std::string text = section.as_text(*mode, "run_dir_mode");
    unsigned value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value, 8);
    if (error != std::errc() || end != text.data() + text.size() || value > 07777 || (value & 0700U) != 0700U) {
      section.fail(*mode, "run_dir_mode", "must be an octal mode in which the owner may do everything, such as 0750, found '" + text + "'");
    }
    config.run_dir_mode = std::filesystem::perms(value);
  }
  section.need("data");
  read_all_data(section.section("data"), config);
  config.model = read_model(section.need("model"), file);
  config.initial_weights = section.text("initial_weights", "");
  section.need("training");
  read_training(section.section("training"), config);
  read_cluster(section.section("cluster"), config);
  read_coordinator(section.section("coordinator"), config);
  read_checkpoint(section.section("checkpoint"), config);
  section.finish();
  return config;
}

}  // namespace

Sequential RunConfig::make_model() const {
  if (!model.keras.empty()) return open_keras_model(*this).model;
  Sequential result(model.layers);
  result.set_seed(seed);
  result.set_dtype_policy(mixed_precision.value_or(DtypePolicy::float32));
  result.set_arithmetic(arithmetic);
  return result;
}

RunConfig parse_config(const std::string& text, const std::string& file, const std::vector<std::string>& overrides) {
  check_text(text, file, overrides);
  try {
    YAML::Node root = YAML::Load(text);
    if (root.IsNull()) throw Error(file + " holds no configuration; configs/ has examples", kUsage);
    expect_one_value(overrides);
    for (const std::string& assignment : overrides) apply_override(root, assignment, file);
    RunConfig config = read(root, file);
    config.yaml = YAML::Dump(root) + "\n";
    if (!config.model.keras.empty()) return config;  // whose file may be elsewhere by now
    const Sequential checked = config.make_model();  // duplicate names, misplaced Input
    return config;
  } catch (const YAML::Exception& error) {
    const std::string line = error.mark.is_null() ? "" : ":" + std::to_string(error.mark.line + 1);
    throw Error(file + line + ": no valid YAML: " + error.msg, kUsage);
  }
}

CompileOptions parse_scores(const std::string& loss, const std::string& metrics) {
  try {
    YAML::Node root(YAML::NodeType::Map);
    root["loss"] = YAML::Load(loss);
    root["metrics"] = YAML::Load("[" + metrics + "]");
    ConfigSection section(root, "--loss, --metrics", "");
    return read_compile(section);
  } catch (const YAML::Exception& error) {
    throw Error("--loss " + loss + " --metrics " + metrics + ": expected names as in a configuration: " + error.msg, kUsage);
  }
}

std::string read_config_file(const std::filesystem::path& path) {
  if (std::filesystem::is_directory(path)) throw Error(path.string() + " is a directory; give a configuration file (.yaml)", kUsage);
  expect_file_or_pipe(path.string());
  constexpr std::size_t kMost = 16U << 20U, kPiece = 64U << 10U;
  std::ifstream file(path, std::ios::binary);
  std::string text, piece(kPiece, '\0');
  while (file.read(piece.data(), static_cast<std::streamsize>(kPiece)) || file.gcount() > 0) {
    text.append(piece, 0, static_cast<std::size_t>(file.gcount()));
    if (text.size() > kMost) throw Error(path.string() + " is no configuration (.yaml): it has more than 16 MiB", kUsage);
  }
  if (!file.eof()) throw Error("cannot read the configuration " + path.string() + "; does it exist?", kUsage);
  return text;
}

}  // namespace lockstep
