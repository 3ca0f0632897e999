// Writing config.json.
#include "io/keras/config.h"

#include <array>
#include <charconv>
#include <cmath>
#include <nlohmann/json.hpp>

#include "cluster/error.h"

namespace lockstep {
namespace {

using Json = nlohmann::ordered_json;

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

/// The shortest decimal of the float, as a double: 0.2F is written 0.2. Always with a point or exponent, since Keras takes no integer for a
/// float.
Json number(float value) {
  if (!std::isfinite(value)) throw Error("a setting of the model is " + std::to_string(value) + ", which a config file cannot hold");
  std::array<char, 64> text{};
  const auto end = std::to_chars(text.data(), text.data() + text.size(), value).ptr;
  double wide = 0;
  std::from_chars(text.data(), end, wide);
  return wide;
}

Json numbers(const std::vector<float>& values) {
  if (values.empty()) return nullptr;
  Json list = Json::array();
  for (const float value : values) list.push_back(number(value));
  return list;
}

Json or_null(float value) { return value == 0 ? Json(nullptr) : number(value); }

Json envelope(const char* module, const std::string& class_of, Json config) {
  return {{"module", module}, {"class_name", class_of}, {"config", std::move(config)}, {"registered_name", nullptr}};
}

Json batch_shape(const Shape& shape) {
  Json list = Json::array({nullptr});
  for (const std::int64_t axis : shape) list.push_back(axis);
  return list;
}

Json initializer_config(Initializer initializer) {
  std::string class_of;  // "glorot_uniform" -> "GlorotUniform"
  bool upper = true;
  for (const char c : name_of(initializer)) {
    if (c != '_') class_of += upper ? static_cast<char>(c - 'a' + 'A') : c;
    upper = c == '_';
  }
  const bool constant = initializer == Initializer::zeros || initializer == Initializer::ones;
  return envelope("keras.initializers", class_of, constant ? Json::object() : Json{{"seed", nullptr}});
}

Json regularizer_config(const Regularizer& r) {
  if (r.l1 == 0 && r.l2 == 0) return nullptr;
  if (r.l2 == 0) return envelope("keras.regularizers", "L1", {{"l1", number(r.l1)}});
  if (r.l1 == 0) return envelope("keras.regularizers", "L2", {{"l2", number(r.l2)}});
  return envelope("keras.regularizers", "L1L2", {{"l1", number(r.l1)}, {"l2", number(r.l2)}});
}

/// Name and settings of a layer with the keys that all layers share.
Json layer_config(const LayerSpec& layer, DtypePolicy policy) {
  if (const auto* input = std::get_if<Input>(&layer)) {
    return {{"batch_shape", batch_shape(input->shape)}, {"dtype", "float32"}, {"sparse", false}, {"name", input->name}};
  }
  Json config{{"name", layer_name(layer)}, {"trainable", true}, {"dtype", "float32"}};
  std::visit(
      Overloaded{[](const Input&) {},
                 [&](const Rescaling& l) {
                   config.update({{"scale", number(l.scale)}, {"offset", number(l.offset)}});
                 },
                 [&](const Flatten&) { config["data_format"] = "channels_last"; },
                 [&](const Dense& l) {
                   if (policy == DtypePolicy::mixed_bfloat16) config["dtype"] = "mixed_bfloat16";  // all other layers compute in float32
                   config.update({{"units", l.units},
                                  {"activation", std::string(name_of(l.activation))},
                                  {"use_bias", l.use_bias},
                                  {"kernel_initializer", initializer_config(l.kernel_initializer)},
                                  {"bias_initializer", initializer_config(l.bias_initializer)},
                                  {"kernel_regularizer", regularizer_config(l.kernel_regularizer)},
                                  {"bias_regularizer", regularizer_config(l.bias_regularizer)},
                                  {"kernel_constraint", nullptr},
                                  {"bias_constraint", nullptr}});
                 },
                 [&](const Activation& l) { config["activation"] = std::string(name_of(l.function)); },
                 [&](const Dropout& l) {
                   config.update({{"rate", number(l.rate)}, {"seed", l.seed ? Json(*l.seed) : Json(nullptr)}, {"noise_shape", nullptr}});
                 },
                 [&](const Normalization& l) {
                   config.update({{"axis", l.axis}, {"invert", l.invert}, {"mean", numbers(l.mean)}, {"variance", numbers(l.variance)}});
                 }},
      layer);
  return config;
}

Json optimizer_config(const OptimizerSpec& spec, float rate) {
  Json config{{"name", class_name(spec)}, {"learning_rate", number(rate)}};
  std::visit(
      Overloaded{
          [&](const Sgd& s) {
            config.update({{"momentum", number(s.momentum)}, {"nesterov", s.nesterov}});
          },
          [&](const RMSprop& s) {
            config.update(
                {{"rho", number(s.rho)}, {"momentum", number(s.momentum)}, {"epsilon", number(s.epsilon)}, {"centered", s.centered}});
          },
          [&](const auto& s) {
            config.update(
                {{"beta_1", number(s.beta_1)}, {"beta_2", number(s.beta_2)}, {"epsilon", number(s.epsilon)}, {"amsgrad", s.amsgrad}});
          }},
      spec);
  const OptimizerOptions& options = std::visit([](const auto& s) -> const OptimizerOptions& { return s.options; }, spec);
  const bool decay_required = std::holds_alternative<AdamW>(spec);
  config.update({{"weight_decay", decay_required ? number(options.weight_decay) : or_null(options.weight_decay)},
                 {"clipnorm", or_null(options.clipnorm)},
                 {"global_clipnorm", or_null(options.global_clipnorm)},
                 {"clipvalue", or_null(options.clipvalue)}});
  return envelope("keras.optimizers", class_name(spec), config);
}

Json loss_config(const LossSpec& loss) {
  const auto object = [](const char* class_of, Json config) {
    config["reduction"] = "sum_over_batch_size";
    return envelope("keras.losses", class_of, std::move(config));
  };
  return std::visit(
      Overloaded{
          [&](const SparseCategoricalCrossentropy& l) {
            return object("SparseCategoricalCrossentropy", {{"from_logits", l.from_logits}});
          },
          [&](const CategoricalCrossentropy& l) {
            return object("CategoricalCrossentropy", {{"from_logits", l.from_logits}, {"label_smoothing", number(l.label_smoothing)}});
          },
          [&](const BinaryCrossentropy& l) {
            return object("BinaryCrossentropy", {{"from_logits", l.from_logits}, {"label_smoothing", number(l.label_smoothing)}});
          },
          [&](const MeanSquaredError&) { return object("MeanSquaredError", Json::object()); },
          [&](const MeanAbsoluteError&) { return object("MeanAbsoluteError", Json::object()); },
          [&](const Huber& l) {
            return object("Huber", {{"delta", number(l.delta)}});
          }},
      loss);
}

/// `Accuracy` must stay a string, which Keras resolves by the shapes; its class of that name compares numbers for equality.
Json metric_config(const MetricSpec& metric) {
  if (std::holds_alternative<Accuracy>(metric.kind)) return metric.name == "acc" ? "acc" : "accuracy";
  Json config{{"name", metric.name}, {"dtype", "float32"}};
  if (const auto* binary = std::get_if<BinaryAccuracy>(&metric.kind)) config["threshold"] = number(binary->threshold);
  if (const auto* top = std::get_if<TopKCategoricalAccuracy>(&metric.kind)) config["k"] = top->k;
  if (const auto* top = std::get_if<SparseTopKCategoricalAccuracy>(&metric.kind)) config["k"] = top->k;
  return envelope("keras.metrics", metric_class(metric), config);
}

Json compile_config(Sequential& model) {
  if (!model.compiled()) return Json::object();
  const CompileOptions& options = model.compile_options();
  const float rate = model.optimizer() != nullptr ? model.optimizer()->learning_rate() : learning_rate(options.optimizer);
  Json metrics = Json::array();
  for (const MetricSpec& metric : options.metrics) metrics.push_back(metric_config(metric));
  return {{"optimizer", optimizer_config(options.optimizer, rate)},
          {"loss", loss_config(options.loss)},
          {"loss_weights", nullptr},
          {"metrics", metrics},
          {"weighted_metrics", nullptr},
          {"run_eagerly", false},
          {"steps_per_execution", 1}};
}

}  // namespace

std::string model_config(Sequential& model) {
  Json layers = Json::array();
  for (const LayerSpec& layer : model.layers())
    layers.push_back(envelope("keras.layers", class_name(layer), layer_config(layer, model.dtype_policy())));
  Json config{{"name", model.name()}, {"trainable", true}, {"dtype", "float32"}};
  if (model.built()) config["build_input_shape"] = batch_shape(model.input_shape());
  config["layers"] = layers;
  Json root = envelope("keras", "Sequential", config);
  if (model.built()) root["build_config"] = {{"input_shape", batch_shape(model.input_shape())}};
  root["compile_config"] = compile_config(model);
  return root.dump(2);
}

}  // namespace lockstep
