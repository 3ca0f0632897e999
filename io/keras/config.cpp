// Writing config.json.
#include "io/keras/config.h"

#include "cluster/error.h"
#include "io/data/names/names_json.h"
#include "io/keras/settings.h"

namespace lockstep {
namespace {

Json batch_shape(const Shape& shape) {
  Json list = Json::array({nullptr});
  for (const std::int64_t axis : shape) list.push_back(axis);
  return list;
}

/// Name and settings of a layer with the keys that all layers share.
Json layer_config(const LayerSpec& layer, DtypePolicy policy) {
  if (const auto* input = std::get_if<Input>(&layer)) {
    return {{"batch_shape", batch_shape(input->shape)}, {"dtype", "float32"}, {"sparse", false}, {"name", input->name}};
  }
  const bool mixed = policy == DtypePolicy::mixed_bfloat16 && kind_of(layer).has_products;  // all other layers compute in float32
  Json config{{"name", layer_name(layer)}};
  if (kind_of(layer).takes_trainable) config["trainable"] = layer_trainable(layer);
  config["dtype"] = mixed ? "mixed_bfloat16" : "float32";
  std::visit(Overloaded{[](const Input&) {}, [&](const auto& one) { fields(one, KerasSettingWriter(config)); }}, layer);
  return config;
}

/// `optimizer`: its state, whose rate may have been changed since; null: there is none yet.
Json optimizer_config(OptimizerSpec spec, const Optimizer* optimizer) {
  Json config{{"name", class_name(spec)}};
  std::visit(
      [&](auto& one) {
        if (optimizer != nullptr && !optimizer->scheduled()) one.learning_rate = optimizer->learning_rate();
        fields(std::as_const(one), KerasSettingWriter(config));
      },
      spec);
  return keras_envelope("keras.optimizers", class_name(spec), config);
}

Json loss_config(const LossSpec& loss, Reduction reduction) {
  Json config = Json::object();
  std::visit([&](const auto& one) { fields(one, KerasSettingWriter(config)); }, loss);
  config["reduction"] = std::string(word_of(reduction));
  return keras_envelope("keras.losses", kind_of(loss).class_name, config);
}

/// `Accuracy` as what the shapes of a built model make of it.
MetricSpec resolved_accuracy(const MetricSpec& metric, Sequential& model) {
  const LossSpec& loss = model.compile_options().loss;
  const std::int64_t width = model.output_width();
  return resolve(metric, {.output_width = width,
                          .truth_width = std::holds_alternative<SparseCategoricalCrossentropy>(loss) ? 1 : width,
                          .logits = from_logits(loss).value_or(false)});
}

/// `Accuracy` under its usual names must stay a string, which Keras resolves by the shapes; its class of that name compares numbers for
/// equality. A string has no room for another name.
Json metric_config(const MetricSpec& given, Sequential& model) {
  const bool generic = std::holds_alternative<Accuracy>(given.kind), usual = given.name == "accuracy" || given.name == "acc";
  if (generic && (usual || !model.built())) return given.name == "acc" ? "acc" : "accuracy";
  const MetricSpec metric = generic ? resolved_accuracy(given, model) : given;
  Json config{{"name", metric.name}};
  const bool whole = std::visit([]<class Kind>(const Kind&) { return std::is_base_of_v<IouClasses, Kind>; }, metric.kind);
  if (!whole) config["dtype"] = "float32";  // the default of these is int
  std::visit([&](const auto& one) { fields(one, KerasSettingWriter(config)); }, metric.kind);
  return keras_envelope("keras.metrics", metric_class(metric), config);
}

Json compile_config(Sequential& model) {
  if (!model.compiled() || !in_keras(model.compile_options().optimizer)) return Json::object();  // which Keras loads uncompiled
  const CompileOptions& options = model.compile_options();
  Json metrics = Json::array(), weighted_metrics = Json::array();
  for (const MetricSpec& metric : options.metrics) (metric.weighted ? weighted_metrics : metrics).push_back(metric_config(metric, model));
  return {{"optimizer", optimizer_config(options.optimizer, model.optimizer())},
          {"loss", loss_config(options.loss, options.reduction)},
          {"loss_weights", nullptr},
          {"metrics", metrics},
          {"weighted_metrics", weighted_metrics.empty() ? Json(nullptr) : weighted_metrics},
          {"run_eagerly", false},
          {"steps_per_execution", 1}};
}

/// The model's own settings with the layers.
Json sequential_config(Sequential& model, const Json& layers) {
  Json config{{"name", model.name()}, {"trainable", true}, {"dtype", "float32"}};
  if (model.built()) config["build_input_shape"] = batch_shape(model.input_shape());
  config["layers"] = layers;
  return config;
}

/// Keras passes over keys that it does not know.
void add_names(Json& root, const Sequential& model) {
  if (Json names = names_json(model.names()); !names.is_null()) root[kNamesKey] = std::move(names);
}

/// An object of an .h5 file: {"class_name", "config"} of an envelope; names stay.
Json legacy_object(const Json& envelope) {
  return envelope.is_object() ? Json{{"class_name", envelope["class_name"]}, {"config", envelope["config"]}} : envelope;
}

}  // namespace

std::string model_config(Sequential& model) {
  Json layers = Json::array();
  for (const LayerSpec& layer : model.layers())
    layers.push_back(keras_envelope("keras.layers", class_name(layer), layer_config(layer, model.dtype_policy())));
  Json root = keras_envelope("keras", "Sequential", sequential_config(model, layers));
  if (model.built()) root["build_config"] = {{"input_shape", batch_shape(model.input_shape())}};
  root["compile_config"] = compile_config(model);
  add_names(root, model);
  return root.dump(2);
}

std::string legacy_model_config(Sequential& model) {
  Json layers = Json::array();
  for (const LayerSpec& layer : model.layers()) {
    const Json config = layer_config(layer, model.dtype_policy());
    if (config["axis"].is_array() && config["axis"].size() != 1) {
      throw Error("layer '" + layer_name(layer) + "' (" + class_name(layer) + "): Keras loses axis " + config["axis"].dump() +
                      " when it reads an .h5 file; save a .keras file",
                  kUsage);
    }
    layers.push_back(Json{{"class_name", class_name(layer)}, {"config", config}});
  }
  Json root{{"class_name", "Sequential"}, {"config", sequential_config(model, layers)}};
  add_names(root, model);
  return root.dump();
}

std::string legacy_training_config(Sequential& model) {
  const Json compiled = compile_config(model);
  if (compiled.empty()) return "";
  Json config = Json::object();
  for (const Json::Member& member : compiled.members()) {
    if (member.value.is_array()) {  // metrics, weighted or not
      config[member.key] = Json::array();
      for (const Json& metric : member.value) config[member.key].push_back(legacy_object(metric));
    } else {
      config[member.key == "optimizer" ? "optimizer_config" : member.key] = legacy_object(member.value);
    }
  }
  return config.dump();
}

}  // namespace lockstep
