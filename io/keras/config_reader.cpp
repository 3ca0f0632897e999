#include "io/keras/config_reader.h"

#include <algorithm>

#include "io/data/names/names_json.h"
#include "io/keras/arguments.h"
#include "io/keras/compile_reader.h"
#include "io/keras/functional.h"
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
  if (!layer) {
    throw Error(
        arguments.place() + ": Lockstep has no layer " + class_of + "; use a model without it, or train it in Keras. It has " + known,
        kUsage);
  }
  std::visit(
      Overloaded{[&](Input& input) { input = read_input(arguments); }, [&](auto& one) { fields(one, KerasSettingReader(arguments)); }},
      *layer);
  return *layer;
}

/// Layers with products by their policies: the model has one.
struct ProductPolicies {
  std::int64_t float32 = 0, mixed_bfloat16 = 0;
};

/// Collects the layers of a model and of the models within it.
class LayerReader {
 public:
  LayerReader(std::string file, StoredModel& to) : file_(std::move(file)), to_(to) {}
  /// `model`: the object of a Sequential or Functional; `container`: "" or the name of the model around its layers.
  void read(const Json& model, const std::string& container, std::vector<StoredLayer>& stored);
  void set_policy();
  /// Runs `work`; an Error of a layer that is an activation gets the place of its owner.
  template <class Work>
  void naming_owner(const Work& work) const;

 private:
  /// `within`: "" or the place of the layer whose activation this layer is.
  void read_entry(const Json& entry, std::size_t index, const std::string& container, std::vector<StoredLayer>& stored,
                  const std::string& within = "");
  void read_activation(const Json& activation, const KerasArguments& arguments, const std::string& container);
  std::string free_name(const std::string& name, const std::string& container) const;

  std::string file_;
  StoredModel& to_;
  ProductPolicies policies_;
  std::vector<std::pair<std::string, std::string>> owners_;  // layers that are activations, and the places of their owners
  bool mixed_float16_ = false;
};

bool is_layer(const std::string& class_of) {
  bool found = false;
  for_each_alternative<LayerSpec>([&]<class Layer>(const Layer&) { found = found || class_of == Layer::kKind.class_name; });
  return found;
}

/// A layer that is the activation of another one; null: its activation is a function.
Json take_activation_layer(KerasObject& layer) {
  const Json activation = std::as_const(layer.config)["activation"];
  if (!activation["class_name"].is_string() || !is_layer(activation["class_name"].get<std::string>())) return nullptr;
  layer.config["activation"] = "linear";
  return activation;
}

/// Keras 2 calls it so.
void rename_alpha(KerasObject& layer) {
  const Json alpha = std::as_const(layer.config)["alpha"];
  if (layer.name != LeakyReLU::kKind.class_name || alpha.is_null()) return;
  layer.config["negative_slope"] = alpha;
  layer.config["alpha"] = nullptr;
}

/// What a layer may have beside its own arguments.
void take_unused(const std::string& class_of, KerasArguments& arguments) {
  for (const char* known : {"batch_input_shape", "build_input_shape"}) arguments.take(known);  // on a first layer; input_shape() saw it
  arguments.take("input_length");                                                              // Keras 2: of an Embedding
  arguments.accept("groups", 1);                                                               // Keras 2: of every convolution
  if (class_of.starts_with("SeparableConv")) arguments.take("kernel_initializer");             // Keras 2: of a kernel that it does not have
}

bool is_model(const std::string& class_of) { return class_of == "Sequential" || class_of == "Functional" || class_of == "Model"; }

/// Names are unique within one model only; across models that become one, the container's name is put before, or a number behind.
std::string LayerReader::free_name(const std::string& name, const std::string& container) const {
  const std::vector<LayerSpec>& layers = to_.model.layers();
  const auto taken = [&](const std::string& wanted) {
    return std::any_of(layers.begin(), layers.end(), [&](const LayerSpec& layer) { return layer_name(layer) == wanted; });
  };
  std::string free = taken(name) && !container.empty() ? container + "_" + name : name;
  for (int number = 1; taken(free); ++number) free = name + "_" + std::to_string(number);
  return free;
}

void LayerReader::read_entry(const Json& entry, std::size_t index, const std::string& container, std::vector<StoredLayer>& stored,
                             const std::string& within) {
  const Json& own_name = entry["config"]["name"];
  const std::string called = own_name.is_string() ? own_name.get<std::string>() : std::to_string(index);
  const std::string site = within.empty() ? file_ : within + ", its activation";
  KerasObject object = keras_object(KerasArguments(site + ": layer '" + called + "'", entry), "layer", entry);
  const std::string place = site + ": layer " + (own_name.is_string() ? "'" + called + "'" : called) + " (" + object.name + ")";
  if (is_model(object.name)) {
    stored.push_back({object.name, called});
    return read(entry, container.empty() ? called : container + "_" + called, stored.back().layers);
  }
  rename_alpha(object);
  const Json activation = take_activation_layer(object);
  KerasArguments arguments(place, object.config);
  const std::string name = arguments.take_string("name");
  if (object.name == Input::kKind.class_name) arguments.take("dtype");  // rows are floats here, whatever they were in Keras
  const std::string policy = arguments.take_policy();
  mixed_float16_ = mixed_float16_ || policy == "mixed_float16";
  const bool trainable = arguments.take_bool("trainable", true);
  LayerSpec layer = read_layer(object.name, arguments);
  set_layer_trainable(layer, trainable);
  take_unused(object.name, arguments);
  arguments.finish();
  if (std::holds_alternative<Input>(layer) && !to_.model.layers().empty()) return;  // of a model within: its input is known
  if (kind_of(layer).has_products) ++(policy == "mixed_bfloat16" ? policies_.mixed_bfloat16 : policies_.float32);
  layer_name(layer) = free_name(name, container);
  if (!within.empty()) owners_.emplace_back(layer_name(layer), within);
  const bool input = std::holds_alternative<Input>(layer);
  to_.model.add(std::move(layer));
  if (!input) stored.push_back({object.name, layer_name(to_.model.layers().back())});
  if (!activation.is_null()) read_activation(activation, KerasArguments(place, object.config), container);
}

/// It comes after its layer in the model, and is none in the file.
void LayerReader::read_activation(const Json& activation, const KerasArguments& owner, const std::string& container) {
  // A layer with weights does not get here: Keras stores none of an activation's.
  const auto is = [&](const auto& kind) { return activation["class_name"] == kind.class_name; };
  const bool known = is(Activation::kKind) || is(ReLU::kKind) || is(LeakyReLU::kKind) || is(ELU::kKind) || is(Softmax::kKind);
  KerasArguments arguments = owner;
  if (!known || !arguments.take("activity_regularizer").is_null())
    owner.fail("activation", known ? "a function, as the layer has an activity_regularizer" : "a function; make this layer one of its own",
               activation["class_name"]);
  std::vector<StoredLayer> none;
  read_entry(activation, 0, container, none, owner.place());
}

void LayerReader::read(const Json& model, const std::string& container, std::vector<StoredLayer>& stored) {
  const Json& config = model["config"];
  const std::string place = file_ + (container.empty() ? ": model" : ": model '" + container + "'");
  if (!config["layers"].is_array()) throw Error(place + ": 'config': expected an object with a list of layers", kUsage);
  std::size_t index = 0;
  const bool sequential = model["class_name"] == "Sequential";
  for (const Json& entry : sequential ? config["layers"].elements() : functional_chain(place, config))
    read_entry(entry, index++, container, stored);
}

const std::string kOnePolicy = "Lockstep has one for the model: float32, unless training.mixed_precision says otherwise";

/// Other layers compute in float32 under any policy.
void LayerReader::set_policy() {
  if (policies_.mixed_bfloat16 > 0 && policies_.float32 > 0) {
    to_.notes.push_back(file_ + ": " + std::to_string(policies_.mixed_bfloat16) + " of " +
                        std::to_string(policies_.mixed_bfloat16 + policies_.float32) +
                        " layers with products have the dtype policy mixed_bfloat16, the others float32; " + kOnePolicy);
  } else if (policies_.mixed_bfloat16 > 0) {
    to_.model.set_dtype_policy(DtypePolicy::mixed_bfloat16);
  }
  if (mixed_float16_) to_.notes.push_back(file_ + ": its dtype policy is mixed_float16; " + kOnePolicy);
}

template <class Work>
void LayerReader::naming_owner(const Work& work) const {
  try {
    work();
  } catch (const Error& error) {
    const std::string what = error.what();
    for (const auto& [layer, owner] : owners_) {
      if (what.starts_with("layer '" + layer + "'")) throw Error(owner + ", its activation: " + what, error.exit_code());
    }
    throw;
  }
}

/// The shape of a sample, wherever it stands; null: nowhere.
Json input_shape(const Json& root, const Json& config) {
  if (root["build_config"].contains("input_shape")) return root["build_config"]["input_shape"];
  if (config.contains("build_input_shape")) return config["build_input_shape"];
  const Json& layers = config["layers"];
  return layers.empty() ? Json() : layers[0]["config"]["batch_input_shape"];
}

void build(const std::string& file, const Json& root, Sequential& model) {
  if (!model.layers().empty() && std::holds_alternative<Input>(model.layers().front()))
    return model.build(std::get<Input>(model.layers().front()).shape);
  const Json& config = root["config"];
  const KerasArguments own(file + ": model", config);
  if (const Json shape = input_shape(root, config); !shape.is_null()) model.build(sample_shape(own, "build_input_shape", shape));
}

void compile(const std::string& file, const Json& compiled, StoredModel& stored) {
  if (!compiled.is_object() || compiled.empty()) return;
  stored.compile = read_compile_config(file, compiled);
  if (stored.compile.flaw().empty()) stored.model.compile(stored.compile.options);
}

StoredModel read_model(const std::string& file, const Json& root) {
  const KerasArguments top(file, root);
  const KerasObject object = keras_object(top, "model", root);
  if (!is_model(object.name)) {
    throw Error(file + ": expected a Sequential model or a Functional one, found class '" + object.name +
                    "'; save it as a Sequential of Keras' layers",
                kUsage);
  }
  const Json& name = root["config"]["name"];
  StoredModel stored{Sequential({}, name.is_string() ? name.get<std::string>() : "sequential")};
  LayerReader reader(file, stored);
  reader.read(root, "", stored.layers);
  reader.set_policy();
  reader.naming_owner([&] { build(file, root, stored.model); });
  stored.model.set_names(names_from_json(root[kNamesKey], file.substr(0, file.find(": "))));
  return stored;
}

/// Runs a reader; Errors of layers or of compile, which know no file, get its name.
template <class Read>
StoredModel of_file(const std::string& name, const Read& read) {
  try {
    return read();
  } catch (const Error& error) {
    const std::string what = error.what();
    throw Error(what.starts_with(name.substr(0, name.find(": "))) ? what : name + ": " + what, error.exit_code());
  } catch (const JsonError& error) {
    throw Error(name + ": is not the description of a Keras model: " + error.what());
  }
}

}  // namespace

StoredModel read_model_config(const std::string& name, std::string_view json) {
  return of_file(name, [&] {
    const Json root = Json::parse(json);
    StoredModel stored = read_model(name, root);
    compile(name, root["compile_config"], stored);
    return stored;
  });
}

StoredModel read_legacy_config(const std::string& name, std::string_view model_config, std::string_view training_config) {
  return of_file(name, [&] {
    StoredModel stored = read_model(name, Json::parse(model_config));
    if (training_config.empty()) return stored;
    const Json training = Json::parse(training_config);
    Json compiled = Json::object();
    for (const Json::Member& member : training.members())
      compiled[member.key == "optimizer_config" ? "optimizer" : member.key] = member.value;
    compile(name, compiled, stored);
    return stored;
  });
}

Sequential model_from_config(const std::string& name, std::string_view json) {
  StoredModel stored = read_model_config(name, json);
  if (const std::string& flaw = stored.compile.flaw(); !flaw.empty()) throw Error(flaw, kUsage);
  return std::move(stored.model);
}

}  // namespace lockstep
