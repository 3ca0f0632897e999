#include "io/config/model.h"

#include "core/compile/choice.h"
#include "core/compile/metrics/names.h"
#include "core/data/limits.h"

namespace lockstep {
namespace {

/// A layer, loss, ... : "Flatten" or {Dense: {units: 3}}. Both name and arguments.
struct Named {
  std::string name;
  ConfigSection arguments;
  YAML::Node at;     // where the name stands
  std::string path;  // of the key that holds the name
};

Named read_named(const YAML::Node& node, const std::string& file, const std::string& path) {
  const YAML::Node nothing(YAML::NodeType::Map);
  if (node.IsScalar()) return {node.Scalar(), {nothing, file, path + "." + node.Scalar()}, node, path};
  if (!node.IsMap() || node.size() != 1) {
    throw Error(config_place(file, node) + "'" + path + "' must be a name, or one name with its arguments (Dense: {units: 10})", kUsage);
  }
  const std::string name = node.begin()->first.as<std::string>();
  const YAML::Node arguments = node.begin()->second;
  return {name, {arguments.IsNull() ? nothing : arguments, file, path + "." + name}, node.begin()->first, path};
}

/// What `lookup` makes of the name; its error with the place of the name.
template <class Lookup>
auto by_name(const Named& named, const Lookup& lookup) {
  try {
    return lookup(named.name);
  } catch (const Error& error) {
    throw Error(config_place(named.arguments.file(), named.at) + "'" + named.path + "' names an " + error.what(), kUsage);
  }
}

/// Runs a lookup by name and adds the place to its error.
template <class Lookup>
auto placed(const ConfigSection& section, const YAML::Node& node, const std::string& key, const Lookup& lookup) {
  try {
    return lookup(section.as_text(node, key));
  } catch (const Error& error) {
    if (std::string(error.what()).rfind(section.file(), 0) == 0) throw;
    section.fail(node, key, std::string("names an ") + error.what());
  }
}

constexpr const char* kNumberLists = "must be a number, a list of numbers such as [0.5, 1], or lists of such lists of equal length";

/// Reads the settings of a kind, one for each of its fields.
class SettingReader {
 public:
  explicit SettingReader(ConfigSection& section) : section_(section) {}

  template <class Value>
  void operator()(const Field& field, Value& value) const {
    const auto node = field.required ? section_.need(field.name) : section_.find(field.name);
    if (node) read(*node, field, value);
  }
  void operator()(const Fixed&) const {}
  void operator()(const Ignored&) const {}

 private:
  void read(const YAML::Node& node, const Field& field, float& value) const {
    value = section_.as_single(node, field.name);
    check(node, field, static_cast<double>(value));
  }
  void read(const YAML::Node& node, const Field& field, std::int64_t& value) const {
    value = section_.as_integer(node, field.name);
    check(node, field, static_cast<double>(value));
  }
  void read(const YAML::Node& node, const Field& field, bool& value) const { value = section_.as_flag(node, field.name); }
  void read(const YAML::Node& node, const Field& field, std::string& text) const { text = section_.as_text(node, field.name); }
  void read(const YAML::Node& node, const Field& field, NamePatterns& names) const { read(node, field, names.patterns); }
  void read(const YAML::Node& node, const Field& field, std::optional<std::uint64_t>& seed) const {
    const std::int64_t value = section_.as_integer(node, field.name);
    if (value < 0) section_.fail(node, field.name, "must be at least 0");
    seed = static_cast<std::uint64_t>(value);
  }
  void read(const YAML::Node& node, const Field& field, ActivationFunction& function) const {
    function = placed(section_, node, field.name, activation_from_name);
  }
  void read(const YAML::Node& node, const Field& field, Numbers& numbers) const {
    numbers = {};
    for (YAML::Node inner = node; inner.IsSequence() && inner.size() > 0; inner.reset(inner[0]))
      numbers.shape.push_back(static_cast<std::int64_t>(inner.size()));
    append(node, field, 0, numbers);
  }
  /// The numbers of a list inside `depth` lists.
  void append(const YAML::Node& node, const Field& field, std::size_t depth, Numbers& numbers) const {
    if (depth == numbers.shape.size()) {
      if (!node.IsScalar()) section_.fail(node, field.name, kNumberLists);
      return read(node, field, numbers.values.emplace_back());
    }
    if (!node.IsSequence() || static_cast<std::int64_t>(node.size()) != numbers.shape[depth]) section_.fail(node, field.name, kNumberLists);
    for (const YAML::Node& one : node) append(one, field, depth + 1, numbers);
  }
  template <Choice E>
  void read(const YAML::Node& node, const Field& field, E& value) const {
    value = placed(section_, node, field.name, choice_of<E>);
  }
  template <KindSetting Setting>
  void read(const YAML::Node& node, const Field& field, Setting& setting) const {
    if constexpr (NumberOrKind<Setting>) {
      if (node.IsScalar() && node.Scalar().find_first_of("0123456789") != std::string::npos)
        return read(node, field, (setting = 0.F).number);
    }
    Named named = read_named(node, section_.file(), section_.path_of(field.name));
    auto kind = by_name(named, kind_from_name<Setting>);
    std::visit([&](auto& one) { fields(one, SettingReader(named.arguments)); }, kind);
    named.arguments.finish();
    setting = std::move(kind);
  }
  void read(const YAML::Node& node, const Field& field, Regularizer& regularizer) const;
  /// One number for all axes, or a list with one for each.
  template <std::size_t N>
  void read(const YAML::Node& node, const Field& field, Sizes<N>& sizes) const {
    if (node.IsMap() || (node.IsSequence() && node.size() != N)) {
      section_.fail(node, field.name, "must be a number" + (N == 1 ? std::string() : " or a list of " + std::to_string(N) + " numbers"));
    }
    for (std::size_t axis = 0; axis < N; ++axis) read(node.IsScalar() ? node : node[axis], field, sizes[axis]);
  }
  void read(const YAML::Node& node, const Field& field, Margins& margins) const {
    if (node.IsMap() || (node.IsSequence() && node.size() != 2))
      section_.fail(node, field.name, "must be a number, or a list of two, each a number or a pair: [[top, bottom], [left, right]]");
    for (std::size_t axis = 0; axis < 2; ++axis) read(node.IsScalar() ? node : node[axis], field, margins[axis]);
  }
  void read(const YAML::Node& node, const Field& field, Range& range) const {
    std::vector<float> ends;
    read(node, field, ends);
    if (ends.size() > 2 || ends.size() < (node.IsScalar() ? 1U : 2U)) section_.fail(node, field.name, "must be a number or a list of two");
    range = ends.size() == 1 ? Range(ends[0]) : Range(ends[0], ends[1]);
  }
  /// In a list null stands for none.
  template <class Value>
  void read(const YAML::Node& node, const Field& field, std::optional<Value>& value) const {
    value.reset();
    if (!node.IsNull()) read(node, field, value.emplace());
  }
  /// One value, or a list.
  template <class Value>
  void read(const YAML::Node& node, const Field& field, std::vector<Value>& values) const {
    values.clear();
    constexpr bool kNames = std::is_same_v<Value, std::string>;
    if (node.IsMap())
      section_.fail(node, field.name,
                    kNames ? "must be a name, or a list of names" : "must be a number, or a list of numbers such as [28, 28]");
    if (node.IsScalar()) read(node, field, values.emplace_back());
    for (const YAML::Node& one : node) read(one, field, values.emplace_back());
  }
  template <std::size_t N>
  void read(const YAML::Node& node, const Field& field, std::optional<Sizes<N>>& sizes) const {
    read(node, field, sizes.emplace());
  }
  void check(const YAML::Node& node, const Field& field, double value) const {
    if (!field.bounds.hold(value)) section_.fail(node, field.name, "must be " + field.bounds.text() + ", found " + node.Scalar());
  }

  ConfigSection& section_;
};

void SettingReader::read(const YAML::Node& node, const Field& field, Regularizer& regularizer) const {
  if (node.IsScalar()) {  // Keras' strings, factor 0.01
    const std::string name = node.Scalar();
    if (name != "l1" && name != "l2" && name != "l1l2")
      section_.fail(node, field.name, "must be l1, l2, l1l2 or {l1: 0.01, l2: 0.01}, found '" + name + "'");
    regularizer = {name == "l2" ? 0.F : 0.01F, name == "l1" ? 0.F : 0.01F};
    return;
  }
  ConfigSection factors(node, section_.file(), section_.path_of(field.name));
  regularizer = {factors.single("l1", 0), factors.single("l2", 0)};
  factors.finish();
  if (regularizer.l1 < 0 || regularizer.l2 < 0) section_.fail(node, field.name, "must not have a negative factor");
}

/// The layer names that a configuration may have.
std::vector<std::string> layer_names() {
  std::vector<std::string> names;
  for_each_alternative<LayerSpec>(
      [&]<class Layer>(const Layer&) { names.emplace_back(Layer::kKind.name.empty() ? Layer::kKind.class_name : Layer::kKind.name); });
  return names;
}

void check_input(ConfigSection& section, const Shape& shape) {
  const YAML::Node node = section.need("shape");
  if (!node.IsSequence() || shape.empty()) section.fail(node, "shape", "must be a list of axes such as [28, 28]");
  if (!row_fits(shape))
    section.fail(node, "shape", "must have at most " + std::to_string(kMostElements) + " numbers in all, found " + to_string(shape));
}

LayerSpec read_layer(Named& named, const YAML::Node& node, bool& adapt) {
  ConfigSection& s = named.arguments;
  std::optional<LayerSpec> layer = alternative_called<LayerSpec>(named.name);
  if (!layer) {
    const std::string near = nearest(named.name, layer_names());
    throw Error(config_place(s.file(), node) + "unknown layer '" + named.name + "'" +
                    (near.empty() ? "; there are: " + known_names<LayerSpec>() : "; did you mean '" + near + "'?"),
                kUsage);
  }
  std::visit([&](auto& one) { fields(one, SettingReader(s)); }, *layer);
  if (const auto* input = std::get_if<Input>(&*layer)) check_input(s, input->shape);
  if (const auto* normalization = std::get_if<Normalization>(&*layer)) adapt = s.flag("adapt", normalization->mean.empty());
  layer_name(*layer) = s.text("name", "");
  if (!std::holds_alternative<Input>(*layer)) set_layer_trainable(*layer, s.flag("trainable", true));
  s.finish();
  return *layer;
}

/// A loss, an optimizer or a metric with arguments, e.g. {Huber: {delta: 2}}.
LossSpec read_loss(Named& named, Reduction& reduction) {
  ConfigSection& s = named.arguments;
  LossSpec loss = by_name(named, loss_from_name);
  std::visit([&](auto& one) { fields(one, SettingReader(s)); }, loss);
  if (const auto node = s.find("reduction")) reduction = placed(s, *node, "reduction", choice_of<Reduction>);
  s.finish();
  return loss;
}

OptimizerSpec read_optimizer(Named& named, const YAML::Node& node) {
  ConfigSection& s = named.arguments;
  OptimizerSpec spec = by_name(named, optimizer_from_name);
  std::visit([&](auto& one) { fields(one, SettingReader(s)); }, spec);
  s.finish();
  try {
    check(spec);
  } catch (const Error& error) {
    throw Error(config_place(s.file(), node) + error.what(), kUsage);
  }
  return spec;
}

MetricSpec read_metric(Named& named) {
  ConfigSection& s = named.arguments;
  MetricSpec metric = by_name(named, metric_from_name);
  std::visit([&](auto& one) { fields(one, SettingReader(s)); }, metric.kind);
  if (const auto name = s.find("name")) {
    metric.name = s.as_text(*name, "name");
    try {
      check_metric_name(metric.name);
    } catch (const Error& error) {
      s.fail(*name, "name", std::string("cannot be used: ") + error.what());
    }
  }
  s.finish();
  return metric;
}

/// The metrics under a key, added to those there are.
void read_metrics(ConfigSection& training, const std::string& key, bool is_weighted, std::vector<MetricSpec>& metrics) {
  const auto list = training.find(key);
  if (!list) return;
  if (!list->IsSequence()) training.fail(*list, key, "must be a list such as [accuracy]");
  for (const YAML::Node& metric : *list) {
    Named named = read_named(metric, training.file(), training.path_of(key));
    metrics.push_back(read_metric(named));
    metrics.back().weighted = is_weighted;
  }
  std::vector<MetricSpec> checked = metrics;
  try {
    name_metrics(checked);
  } catch (const Error& error) {
    training.fail(*list, key, std::string("cannot be told apart: ") + error.what());
  }
}

}  // namespace

ModelConfig read_model(const YAML::Node& node, const std::string& file) {
  ModelConfig model;
  if (node.IsMap()) {
    ConfigSection section(node, file, "model");
    model.keras = section.as_text(section.need("keras"), "keras");
    section.finish();
    return model;
  }
  if (!node.IsSequence() || node.size() == 0)
    throw Error(config_place(file, node) + "'model' must be a list of layers, or {keras: FILE.keras}", kUsage);
  for (std::size_t i = 0; i < node.size(); ++i) {
    Named named = read_named(node[i], file, "model." + std::to_string(i));
    bool adapt = false;
    model.layers.push_back(read_layer(named, node[i], adapt));
    if (adapt) model.adapt.push_back(i);
  }
  return model;
}

CompileOptions read_compile(ConfigSection& training) {
  CompileOptions options;
  const auto named = [&](const YAML::Node& node, const std::string& key) {
    return read_named(node, training.file(), training.path_of(key));
  };
  const YAML::Node loss = training.need("loss");
  Named named_loss = named(loss, "loss");
  options.loss = read_loss(named_loss, options.reduction);
  if (const auto optimizer = training.find("optimizer")) {
    Named named_optimizer = named(*optimizer, "optimizer");
    options.optimizer = read_optimizer(named_optimizer, *optimizer);
  }
  read_metrics(training, "metrics", false, options.metrics);
  read_metrics(training, "weighted_metrics", true, options.metrics);
  return options;
}

}  // namespace lockstep
