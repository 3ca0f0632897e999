#include "io/keras/arguments.h"

namespace lockstep {

namespace {

/// The name of a dtype, a string or a policy object; the value itself where it is something else.
Json policy_name(const Json& value) { return value["config"].contains("name") ? value["config"]["name"] : value; }

}  // namespace

KerasArguments::KerasArguments(std::string place, const Json& config) : place_(std::move(place)) {
  if (!config.is_object()) fail("config", "an object", config);
  config.get_to(left_);
}

Json KerasArguments::take(const std::string& key) {
  const auto found = left_.find(key);
  if (found == left_.end()) return nullptr;
  Json value = std::move(found->second);
  left_.erase(found);
  return value;
}

float KerasArguments::take_float(const std::string& key, float fallback) {
  const Json value = take(key);
  if (value.is_null()) return fallback;
  if (!value.is_number()) fail(key, "a number", value);
  return value.get<float>();
}

std::int64_t KerasArguments::take_int(const std::string& key, std::int64_t fallback) {
  const Json value = take(key);
  if (value.is_null()) return fallback;
  const Json& number = value.is_array() && value.size() == 1 ? value[0] : value;  // Keras 2 writes one axis as a list
  if (!number.is_integer()) fail(key, "a whole number", value);
  return number.get<std::int64_t>();
}

bool KerasArguments::take_bool(const std::string& key, bool fallback) {
  const Json value = take(key);
  if (value.is_null()) return fallback;
  if (!value.is_bool()) fail(key, "true or false", value);
  return value.get<bool>();
}

std::string KerasArguments::take_string(const std::string& key) {
  const Json value = take(key);
  if (value.is_null()) return {};
  if (!value.is_string()) fail(key, "a string", value);
  return value.get<std::string>();
}

void KerasArguments::accept(const std::string& key, const Json& only) {
  const Json value = take(key);
  if (!value.is_null() && value != only) fail(key, only.dump(), value);
}

void KerasArguments::accept_float32() {
  const Json value = take("dtype");
  if (const Json name = policy_name(value); !name.is_null() && name != "float32") fail("dtype", "float32", value);
}

std::string KerasArguments::take_policy() {
  const Json value = take("dtype"), name = policy_name(value);
  if (name.is_null()) return "float32";
  if (name != "float32" && name != "mixed_bfloat16" && name != "mixed_float16")
    fail("dtype", "float32 or mixed_bfloat16 (mixed_float16 is computed in float32)", value);
  return name.get<std::string>();
}

void KerasArguments::finish() const {
  for (const auto& [key, value] : left_) {
    if (value.is_null() || value == false || ((value.is_array() || value.is_object()) && value.empty())) continue;
    throw Error(place_ + ": argument '" + key + "' = " + value.dump() + " is not known to Lockstep", kUsage);
  }
}

void KerasArguments::fail(const std::string& key, const std::string& expected, const Json& found) const {
  throw Error(place_ + ": '" + key + "': expected " + expected + ", found " + found.dump(), kUsage);
}

namespace {

/// A class or function of the model's author, perhaps with the name of one of Keras'.
bool is_custom(const Json& object) {
  const Json &module = object["module"], &registered = object["registered_name"];
  const std::string of = module.is_string() ? module.get<std::string>() : "keras";
  const bool known = of == "keras" || of == "builtins" || of.starts_with("keras.") || of.starts_with("tf_keras.");  // Keras 2 today
  return !known || (registered.is_string() && registered.get<std::string>().find('>') != std::string::npos);
}

}  // namespace

KerasObject keras_object(const KerasArguments& owner, const std::string& key, const Json& value) {
  if (value.is_string()) return {value.get<std::string>()};
  if (!value["class_name"].is_string()) owner.fail(key, "a name or an object with class_name", value);
  if (is_custom(value)) {
    throw Error(owner.place() + ": '" + key + "' is of the custom class " + value["class_name"].dump() +
                    ". Lockstep runs no code of a file; use a class of Keras instead",
                kUsage);
  }
  const Json config = value.contains("config") ? value["config"] : Json::object();
  if (value["class_name"] == "function" && config.is_string()) return {config.get<std::string>()};
  return {value["class_name"].get<std::string>(), config.is_null() ? Json::object() : config};
}

}  // namespace lockstep
