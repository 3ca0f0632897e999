#include "core/compile/metric_names.h"
#include "core/data/limits.h"
#include "io/config/parts.h"

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

ActivationFunction activation(ConfigSection& section, const std::string& key) {
  const auto node = section.find(key);
  return node ? placed(section, *node, key, activation_from_name) : linear;
}

Initializer initializer(ConfigSection& section, const std::string& key, Initializer otherwise) {
  const auto node = section.find(key);
  return node ? placed(section, *node, key, initializer_from_name) : otherwise;
}

Regularizer regularizer(ConfigSection& section, const std::string& key) {
  const auto node = section.find(key);
  if (!node) return {};
  if (node->IsScalar()) {  // Keras' strings, factor 0.01
    const std::string name = node->Scalar();
    if (name != "l1" && name != "l2" && name != "l1l2")
      section.fail(*node, key, "must be l1, l2, l1l2 or {l1: 0.01, l2: 0.01}, found '" + name + "'");
    return {name == "l2" ? 0.F : 0.01F, name == "l1" ? 0.F : 0.01F};
  }
  ConfigSection factors(*node, section.file(), section.path_of(key));
  const Regularizer result{factors.single("l1", 0), factors.single("l2", 0)};
  factors.finish();
  if (result.l1 < 0 || result.l2 < 0) section.fail(*node, key, "must not have a negative factor");
  return result;
}

Shape shape(ConfigSection& section) {
  const YAML::Node node = section.need("shape");
  if (!node.IsSequence() || node.size() == 0) section.fail(node, "shape", "must be a list of axes such as [28, 28]");
  Shape axes;
  for (const YAML::Node& axis : node) {
    axes.push_back(section.as_integer(axis, "shape"));
    if (axes.back() < 1) section.fail(axis, "shape", "must have axes of at least 1");
  }
  if (!row_fits(axes))
    section.fail(node, "shape", "must have at most " + std::to_string(kMostElements) + " numbers in all, found " + to_string(axes));
  return axes;
}

std::vector<float> numbers(ConfigSection& section, const std::string& key) {
  const auto node = section.find(key);
  std::vector<float> values;
  if (node && node->IsScalar()) return {section.as_single(*node, key)};
  for (const YAML::Node& value : node.value_or(YAML::Node(YAML::NodeType::Sequence))) values.push_back(section.as_single(value, key));
  return values;
}

Dense dense(ConfigSection& s) {
  s.need("units");
  Dense layer{s.integer("units", 0, 1, kMostElements)};
  layer.activation = activation(s, "activation");
  layer.use_bias = s.flag("use_bias", true);
  layer.kernel_initializer = initializer(s, "kernel_initializer", layer.kernel_initializer);
  layer.bias_initializer = initializer(s, "bias_initializer", layer.bias_initializer);
  layer.kernel_regularizer = regularizer(s, "kernel_regularizer");
  layer.bias_regularizer = regularizer(s, "bias_regularizer");
  return layer;
}

Dropout dropout(ConfigSection& s) {
  const YAML::Node rate = s.need("rate");
  Dropout layer{s.as_single(rate, "rate")};
  if (!(layer.rate >= 0 && layer.rate <= 1)) s.fail(rate, "rate", "must lie in [0, 1], found " + rate.Scalar());
  if (const auto seed = s.find("seed")) layer.seed = static_cast<std::uint64_t>(s.as_integer(*seed, "seed"));
  return layer;
}

Normalization normalization(ConfigSection& s) {
  Normalization layer;
  if (const auto axis = s.find("axis")) {
    layer.axis.clear();
    if (axis->IsScalar()) layer.axis.push_back(s.as_integer(*axis, "axis"));
    for (const YAML::Node& one : *axis) layer.axis.push_back(s.as_integer(one, "axis"));
  }
  layer.mean = numbers(s, "mean");
  layer.variance = numbers(s, "variance");
  for (const float value : layer.variance) {
    if (value < 0) s.fail(*s.find("variance"), "variance", "must not be negative, found " + std::to_string(value));
  }
  layer.invert = s.flag("invert", false);
  return layer;
}

LayerSpec read_layer(Named& named, const YAML::Node& node, bool& adapt) {
  ConfigSection& s = named.arguments;
  LayerSpec layer;
  if (named.name == "Input" || named.name == "InputLayer") {
    layer = Input{shape(s)};
  } else if (named.name == "Rescaling") {
    s.need("scale");
    const auto scale = s.single("scale", 1);
    layer = Rescaling{scale, s.single("offset", 0)};
  } else if (named.name == "Flatten") {
    layer = Flatten{};
  } else if (named.name == "Dense") {
    layer = dense(s);
  } else if (named.name == "Activation") {
    s.need("activation");
    layer = Activation{activation(s, "activation")};
  } else if (named.name == "Dropout") {
    layer = dropout(s);
  } else if (named.name == "Normalization") {
    layer = normalization(s);
    adapt = s.flag("adapt", std::get<Normalization>(layer).mean.empty());
  } else {
    const std::vector<std::string> known{"Input", "Rescaling", "Flatten", "Dense", "Activation", "Dropout", "Normalization"};
    const std::string near = nearest(named.name, known);
    throw Error(config_place(s.file(), node) + "unknown layer '" + named.name + "'" +
                    (near.empty() ? "; there are: Input, Rescaling, Flatten, Dense, Activation, Dropout, Normalization"
                                  : "; did you mean '" + near + "'?"),
                kUsage);
  }
  layer_name(layer) = s.text("name", "");
  s.finish();
  return layer;
}

/// A loss, an optimizer or a metric with arguments, e.g. {Huber: {delta: 2}}.
LossSpec read_loss(Named& named, const YAML::Node& node) {
  ConfigSection& s = named.arguments;
  LossSpec loss = by_name(named, loss_from_name);
  if (auto* sparse = std::get_if<SparseCategoricalCrossentropy>(&loss)) sparse->from_logits = s.flag("from_logits", false);
  const auto smooth = [&](auto& entropy) {
    entropy.from_logits = s.flag("from_logits", false);
    entropy.label_smoothing = s.single("label_smoothing", 0);
    if (!(entropy.label_smoothing >= 0 && entropy.label_smoothing <= 1)) s.fail(node, "label_smoothing", "must lie in [0, 1]");
  };
  if (auto* categorical = std::get_if<CategoricalCrossentropy>(&loss)) smooth(*categorical);
  if (auto* binary = std::get_if<BinaryCrossentropy>(&loss)) smooth(*binary);
  if (auto* huber = std::get_if<Huber>(&loss)) huber->delta = s.single("delta", 1);
  s.finish();
  return loss;
}

void read_common(ConfigSection& s, OptimizerOptions& options) {
  options.weight_decay = s.single("weight_decay", options.weight_decay);
  options.clipnorm = s.single("clipnorm", 0);
  options.clipvalue = s.single("clipvalue", 0);
  options.global_clipnorm = s.single("global_clipnorm", 0);
}

OptimizerSpec read_optimizer(Named& named, const YAML::Node& node) {
  ConfigSection& s = named.arguments;
  OptimizerSpec spec = by_name(named, optimizer_from_name);
  const auto number = [&](const char* key, float& value) { value = s.single(key, value); };
  if (auto* sgd = std::get_if<Sgd>(&spec)) {
    number("momentum", sgd->momentum);
    sgd->nesterov = s.flag("nesterov", false);
  } else if (auto* rmsprop = std::get_if<RMSprop>(&spec)) {
    number("rho", rmsprop->rho);
    number("momentum", rmsprop->momentum);
    number("epsilon", rmsprop->epsilon);
    rmsprop->centered = s.flag("centered", false);
  } else {
    const auto read_adam = [&](auto& adam) {
      number("beta_1", adam.beta_1);
      number("beta_2", adam.beta_2);
      number("epsilon", adam.epsilon);
      adam.amsgrad = s.flag("amsgrad", false);
    };
    if (auto* adam = std::get_if<Adam>(&spec)) read_adam(*adam);
    if (auto* adamw = std::get_if<AdamW>(&spec)) read_adam(*adamw);
  }
  std::visit(
      [&](auto& any) {
        number("learning_rate", any.learning_rate);
        read_common(s, any.options);
      },
      spec);
  s.finish();
  try {
    const Optimizer checked(spec, 0, {});
  } catch (const Error& error) {
    throw Error(config_place(s.file(), node) + error.what(), kUsage);
  }
  return spec;
}

MetricSpec read_metric(Named& named) {
  ConfigSection& s = named.arguments;
  MetricSpec metric = by_name(named, metric_from_name);
  if (auto* top = std::get_if<TopKCategoricalAccuracy>(&metric.kind)) top->k = s.integer("k", top->k, 1);
  if (auto* top = std::get_if<SparseTopKCategoricalAccuracy>(&metric.kind)) top->k = s.integer("k", top->k, 1);
  if (auto* binary = std::get_if<BinaryAccuracy>(&metric.kind)) binary->threshold = s.single("threshold", 0.5);
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

}  // namespace

ModelConfig read_model(const YAML::Node& node, const std::string& file) {
  if (!node.IsSequence() || node.size() == 0) throw Error(config_place(file, node) + "'model' must be a list of layers", kUsage);
  ModelConfig model;
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
  options.loss = read_loss(named_loss, loss);
  if (const auto optimizer = training.find("optimizer")) {
    Named named_optimizer = named(*optimizer, "optimizer");
    options.optimizer = read_optimizer(named_optimizer, *optimizer);
  }
  if (const auto metrics = training.find("metrics")) {
    if (!metrics->IsSequence()) training.fail(*metrics, "metrics", "must be a list such as [accuracy]");
    for (const YAML::Node& metric : *metrics) {
      Named named_metric = named(metric, "metrics");
      options.metrics.push_back(read_metric(named_metric));
    }
    std::vector<MetricSpec> checked = options.metrics;
    try {
      name_metrics(checked);
    } catch (const Error& error) {
      training.fail(*metrics, "metrics", std::string("cannot be told apart: ") + error.what());
    }
  }
  return options;
}

}  // namespace lockstep
