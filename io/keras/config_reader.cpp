// Reading config.json in the forms of all Keras 3 versions: the model and its layers.
#include "io/keras/arguments.h"
#include "io/keras/config.h"

namespace lockstep {
namespace {

using Json = nlohmann::json;

ActivationFunction take_activation(KerasArguments& arguments) {
  const Json value = arguments.take("activation");
  if (value.is_null()) return linear;
  return keras_look_up(arguments, "activation", [&] { return activation_from_name(keras_object(arguments, "activation", value).name); });
}

Initializer take_initializer(KerasArguments& arguments, const std::string& key, Initializer fallback) {
  const Json value = arguments.take(key);
  if (value.is_null()) return fallback;
  return keras_look_up(arguments, key, [&] { return initializer_from_name(keras_snake_case(keras_object(arguments, key, value).name)); });
}

Regularizer take_regularizer(KerasArguments& arguments, const std::string& key) {
  const Json value = arguments.take(key);
  if (value.is_null()) return {};
  const KerasObject object = keras_object(arguments, key, value);
  const std::string name = keras_snake_case(object.name);  // l1, l2, l1_l2 and L1L2 -> l1_l2
  if (name != "l1" && name != "l2" && name != "l1_l2") arguments.fail(key, "L1, L2 or L1L2", value);
  KerasArguments inner(arguments.place() + ", " + key, object.config);
  Regularizer r{inner.take_float("l1", name == "l1" && value.is_string() ? 0.01F : 0.F),
                inner.take_float("l2", name == "l2" && value.is_string() ? 0.01F : 0.F)};
  inner.finish();
  return r;
}

/// [null, 28, 28] -> {28, 28}.
Shape sample_shape(const KerasArguments& owner, const std::string& key, const Json& value, bool batch_axis = true) {
  Shape shape;
  if (!value.is_array() || (batch_axis && value.empty())) owner.fail(key, "a list of axes", value);
  for (std::size_t axis = batch_axis ? 1 : 0; axis < value.size(); ++axis) {
    if (!value[axis].is_number_integer() || value[axis].get<std::int64_t>() < 1) owner.fail(key, "axes of fixed length", value);
    shape.push_back(value[axis].get<std::int64_t>());
  }
  return shape;
}

Input read_input(KerasArguments& arguments) {
  const Json shape = arguments.take("shape");
  Json batch = arguments.take("batch_shape"), older = arguments.take("batch_input_shape");
  if (batch.is_null()) batch = std::move(older);
  Input input{shape.is_null() ? sample_shape(arguments, "batch_shape", batch) : sample_shape(arguments, "shape", shape, false)};
  for (const char* key : {"sparse", "ragged", "optional"}) arguments.accept(key, false);
  return input;
}

std::vector<float> take_numbers(KerasArguments& arguments, const std::string& key) {
  std::vector<float> numbers;
  const auto append = [&](const auto& self, const Json& value) -> void {  // Keras writes (), (n) or (1, n)
    if (value.is_array()) {
      for (const Json& element : value) self(self, element);
    } else if (value.is_number()) {
      numbers.push_back(value.get<float>());
    } else {
      arguments.fail(key, "numbers", value);
    }
  };
  const Json value = arguments.take(key);
  if (!value.is_null()) append(append, value);
  return numbers;
}

Normalization read_normalization(KerasArguments& arguments) {
  Normalization layer;
  const Json axis = arguments.take("axis");
  if (axis.is_number_integer()) {
    layer.axis = {axis.get<std::int64_t>()};
  } else {
    layer.axis.clear();
    if (!axis.is_null() && !axis.is_array()) arguments.fail("axis", "a whole number or a list of them", axis);
    for (const Json& one : axis) {
      if (!one.is_number_integer()) arguments.fail("axis", "whole numbers", axis);
      layer.axis.push_back(one.get<std::int64_t>());
    }
  }
  layer.mean = take_numbers(arguments, "mean");
  layer.variance = take_numbers(arguments, "variance");
  layer.invert = arguments.take_bool("invert", false);
  return layer;
}

LayerSpec read_layer(const std::string& class_of, KerasArguments& arguments) {
  if (class_of == "InputLayer") return read_input(arguments);
  if (class_of == "Rescaling") return Rescaling{arguments.take_float("scale", 1), arguments.take_float("offset", 0)};
  if (class_of == "Flatten") return arguments.accept("data_format", "channels_last"), Flatten{};
  if (class_of == "Activation") return Activation{take_activation(arguments)};
  if (class_of == "Normalization") return read_normalization(arguments);
  if (class_of == "Dropout") {
    Dropout layer{arguments.take_float("rate", 0)};
    if (const std::int64_t seed = arguments.take_int("seed", -1); seed >= 0) layer.seed = static_cast<std::uint64_t>(seed);
    return layer;
  }
  if (class_of != "Dense") {
    throw Error(arguments.place() + ": Lockstep has no layer " + class_of +
                    "; it has InputLayer, Rescaling, Flatten, Dense, Activation, Dropout, Normalization",
                kUsage);
  }
  Dense layer{
      .units = arguments.take_int("units", 0), .activation = take_activation(arguments), .use_bias = arguments.take_bool("use_bias", true)};
  if (layer.units < 1) throw Error(arguments.place() + ": 'units': expected a whole number above 0", kUsage);
  layer.kernel_initializer = take_initializer(arguments, "kernel_initializer", Initializer::glorot_uniform);
  layer.bias_initializer = take_initializer(arguments, "bias_initializer", Initializer::zeros);
  layer.kernel_regularizer = take_regularizer(arguments, "kernel_regularizer");
  layer.bias_regularizer = take_regularizer(arguments, "bias_regularizer");
  return layer;
}

/// Dense layers by their policies: the model has one.
struct DensePolicies {
  std::int64_t float32 = 0, mixed_bfloat16 = 0;
};

LayerSpec read_entry(const std::string& file, const Json& entry, std::size_t index, DensePolicies& policies) {
  const KerasArguments owner(file + ": layer " + std::to_string(index), entry);
  const KerasObject object = keras_object(owner, "layer", entry);
  const Json own_name = object.config.is_object() ? object.config.value("name", Json()) : Json();
  KerasArguments arguments(file + ": layer " + (own_name.is_string() ? "'" + own_name.get<std::string>() + "'" : std::to_string(index)) +
                               " (" + object.name + ")",
                           object.config);
  const std::string name = arguments.take_string("name");
  const bool mixed = arguments.take_mixed_bfloat16();  // of no meaning but for Dense: all others compute in float32
  arguments.accept("trainable", true);
  LayerSpec layer = read_layer(object.name, arguments);
  for (const char* known : {"batch_input_shape", "build_input_shape"}) arguments.take(known);  // on a first layer; read_model saw it
  arguments.finish();
  if (std::holds_alternative<Dense>(layer)) ++(mixed ? policies.mixed_bfloat16 : policies.float32);
  layer_name(layer) = name;
  return layer;
}

/// The shape of a sample, wherever it stands; null: nowhere.
Json input_shape(const Json& root, const Json& config) {
  if (const Json build = root.value("build_config", Json()); build.is_object() && build.contains("input_shape"))
    return build["input_shape"];
  if (config.contains("build_input_shape")) return config["build_input_shape"];
  const Json& layers = config["layers"];
  if (layers.empty() || !layers[0].is_object() || !layers[0].contains("config") || !layers[0]["config"].is_object()) return nullptr;
  return layers[0]["config"].value("batch_input_shape", Json());
}

Sequential read_model(const std::string& file, const Json& root) {
  KerasArguments top(file, root);
  if (const std::string kind = top.take_string("class_name"); kind != "Sequential") {
    throw Error(file + ": expected a Sequential model, found class '" + kind + "'; Lockstep has no other kind of model", kUsage);
  }
  const Json config = top.take("config");
  if (!config.is_object() || !config.contains("layers") || !config["layers"].is_array())
    top.fail("config", "an object with a list of layers", config);
  KerasArguments own(file + ": model", config);
  Sequential model({}, own.take_string("name"));
  std::size_t index = 0;
  DensePolicies policies;
  for (const Json& entry : config["layers"]) model.add(read_entry(file, entry, index++, policies));
  if (policies.mixed_bfloat16 > 0) {
    if (policies.float32 > 0)
      throw Error(file + ": some Dense layers have dtype float32 and some mixed_bfloat16; Lockstep has one policy for all", kUsage);
    model.set_dtype_policy(DtypePolicy::mixed_bfloat16);
  }
  const bool has_input = !model.layers().empty() && std::holds_alternative<Input>(model.layers().front());
  const Json shape = input_shape(root, config);
  if (has_input) {
    model.build(std::get<Input>(model.layers().front()).shape);
  } else if (!shape.is_null()) {
    model.build(sample_shape(own, "build_input_shape", shape));
  }
  if (const Json compiled = top.take("compile_config"); compiled.is_object() && !compiled.empty())
    model.compile(read_compile_config(file, compiled));
  return model;
}

}  // namespace

Sequential model_from_config(const std::string& name, std::string_view json) {
  constexpr int kDeepest = 100;  // of what Keras writes, ten times over; values are copied and destroyed by recursion
  const auto shallow = [&](int depth, Json::parse_event_t, const Json&) {
    if (depth > kDeepest)
      throw Error(name + ": is nested more than " + std::to_string(kDeepest) + " deep, which no description of a model is");
    return true;
  };
  try {
    return read_model(name, Json::parse(json, shallow));
  } catch (const Error& error) {  // of layers or of compile, which know no file
    const std::string what = error.what();
    throw Error(what.starts_with(name.substr(0, name.find(": "))) ? what : name + ": " + what, error.exit_code());
  } catch (const Json::exception& error) {
    throw Error(name + ": is not the description of a Keras model: " + error.what());
  }
}

}  // namespace lockstep
