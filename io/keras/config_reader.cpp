#include "io/keras/config_reader.h"

#include "io/keras/arguments.h"
#include "io/keras/compile_reader.h"
#include "io/keras/settings.h"

namespace lockstep {
namespace {

/// [null, 28, 28] -> {28, 28}.
Shape sample_shape(const KerasArguments& owner, const std::string& key, const Json& value, bool batch_axis = true) {
  Shape shape;
  if (!value.is_array() || (batch_axis && value.empty())) owner.fail(key, "a list of axes", value);
  for (std::size_t axis = batch_axis ? 1 : 0; axis < value.size(); ++axis) {
    if (!value[axis].is_integer() || value[axis].get<std::int64_t>() < 1) owner.fail(key, "axes of fixed length", value);
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

LayerSpec read_layer(const std::string& class_of, KerasArguments& arguments) {
  std::optional<LayerSpec> layer;
  std::string known;
  for_each_alternative<LayerSpec>([&]<class Layer>(Layer one) {
    known += (known.empty() ? "" : ", ") + std::string(Layer::kKind.class_name);
    if (class_of == Layer::kKind.class_name) layer = std::move(one);
  });
  if (!layer) throw Error(arguments.place() + ": Lockstep has no layer " + class_of + "; it has " + known, kUsage);
  std::visit(
      Overloaded{[&](Input& input) { input = read_input(arguments); }, [&](auto& one) { fields(one, KerasSettingReader(arguments)); }},
      *layer);
  return *layer;
}

/// Layers with products by their policies: the model has one.
struct ProductPolicies {
  std::int64_t float32 = 0, mixed_bfloat16 = 0;
};

LayerSpec read_entry(const std::string& file, const Json& entry, std::size_t index, ProductPolicies& policies) {
  const KerasArguments owner(file + ": layer " + std::to_string(index), entry);
  const KerasObject object = keras_object(owner, "layer", entry);
  const Json& own_name = object.config["name"];
  KerasArguments arguments(file + ": layer " + (own_name.is_string() ? "'" + own_name.get<std::string>() + "'" : std::to_string(index)) +
                               " (" + object.name + ")",
                           object.config);
  const std::string name = arguments.take_string("name");
  const bool mixed = arguments.take_mixed_bfloat16();  // of no meaning without products: such layers compute in float32
  arguments.accept("trainable", true);
  LayerSpec layer = read_layer(object.name, arguments);
  for (const char* known : {"batch_input_shape", "build_input_shape"}) arguments.take(known);  // on a first layer; read_model saw it
  arguments.finish();
  if (kind_of(layer).has_products) ++(mixed ? policies.mixed_bfloat16 : policies.float32);
  layer_name(layer) = name;
  return layer;
}

/// The shape of a sample, wherever it stands; null: nowhere.
Json input_shape(const Json& root, const Json& config) {
  if (root["build_config"].contains("input_shape")) return root["build_config"]["input_shape"];
  if (config.contains("build_input_shape")) return config["build_input_shape"];
  const Json& layers = config["layers"];
  return layers.empty() ? Json() : layers[0]["config"]["batch_input_shape"];
}

Sequential read_model(const std::string& file, const Json& root) {
  KerasArguments top(file, root);
  if (const std::string kind = top.take_string("class_name"); kind != "Sequential") {
    throw Error(file + ": expected a Sequential model, found class '" + kind + "'; Lockstep has no other kind of model", kUsage);
  }
  const Json config = top.take("config");
  if (!config["layers"].is_array()) top.fail("config", "an object with a list of layers", config);
  KerasArguments own(file + ": model", config);
  Sequential model({}, own.take_string("name"));
  std::size_t index = 0;
  ProductPolicies policies;
  for (const Json& entry : config["layers"]) model.add(read_entry(file, entry, index++, policies));
  if (policies.mixed_bfloat16 > 0) {
    if (policies.float32 > 0)
      throw Error(file + ": some layers with products have dtype float32 and some mixed_bfloat16; Lockstep has one policy for all", kUsage);
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
  try {
    return read_model(name, Json::parse(json));
  } catch (const Error& error) {  // of layers or of compile, which know no file
    const std::string what = error.what();
    throw Error(what.starts_with(name.substr(0, name.find(": "))) ? what : name + ": " + what, error.exit_code());
  } catch (const JsonError& error) {
    throw Error(name + ": is not the description of a Keras model: " + error.what());
  }
}

}  // namespace lockstep
