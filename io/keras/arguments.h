#pragma once
#include <string>

#include "cluster/error.h"
#include "cluster/json.h"
#include "core/training/sequential.h"

// What the .cpp files that read config.json share.
namespace lockstep {

/// The arguments of one object, taken one by one; whatever is left at the end and says anything is an Error. `place`: "FILE: layer
/// 'dense'".
class KerasArguments {
 public:
  KerasArguments(std::string place, const Json& config);
  const std::string& place() const { return place_; }

  // A missing key is null or the fallback; a value of another kind is an Error.
  Json take(const std::string& key);
  /// Whether it is there, even as null.
  bool has(const std::string& key) const { return left_.find(key) != left_.end(); }
  float take_float(const std::string& key, float fallback);
  std::int64_t take_int(const std::string& key, std::int64_t fallback);
  bool take_bool(const std::string& key, bool fallback);
  std::string take_string(const std::string& key);

  /// A key that may stand there with this value (or null) and no other.
  void accept(const std::string& key, const Json& only);
  /// "dtype" as a string or a policy: float32.
  void accept_float32();
  /// The same of a layer, or a policy whose variables are float32: "float32", "mixed_bfloat16" or "mixed_float16".
  std::string take_policy();
  /// Newer versions write arguments that are off (null, false, empty); what is on and unknown is refused.
  void finish() const;
  [[noreturn]] void fail(const std::string& key, const std::string& expected, const Json& found) const;

 private:
  std::string place_;
  std::map<std::string, Json> left_;
};

/// Class and arguments of an object: a plain string, {"class_name": ..., "config": {...}}, or a function's envelope. An object of a class
/// that is not Keras' own is an Error (kUsage).
struct KerasObject {
  std::string name;
  Json config = Json::object();
};
KerasObject keras_object(const KerasArguments& owner, const std::string& key, const Json& value);

/// Runs a look-up by name; its Error gets the place.
template <class LookUp>
auto keras_look_up(const KerasArguments& owner, const std::string& key, const LookUp& find) {
  try {
    return find();
  } catch (const Error& error) {
    throw Error(owner.place() + ": '" + key + "': " + error.what(), kUsage);
  }
}

}  // namespace lockstep
