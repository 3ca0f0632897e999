#include "io/keras/settings.h"

#include <array>
#include <charconv>
#include <cmath>
#include <string>

#include "core/math/names.h"

namespace lockstep {
namespace {

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

bool limited(const Bounds& bounds) { return std::isfinite(bounds.least) || std::isfinite(bounds.most); }

/// "a number that is at least 0", "a number".
std::string one_within(const std::string& what, const Bounds& bounds) {
  return what + (limited(bounds) ? " that is " + bounds.text() : "");
}

/// "numbers, each in [0, 1)".
std::string each_within(const std::string& what, const Bounds& bounds) { return what + (limited(bounds) ? ", each " + bounds.text() : ""); }

/// Appends the numbers of a list inside `depth` lists.
void append(const KerasArguments& arguments, const char* key, const Json& value, std::size_t depth, Numbers& numbers) {
  const bool list = depth < numbers.shape.size();
  if (list ? !value.is_array() || static_cast<std::int64_t>(value.size()) != numbers.shape[depth] : !value.is_number())
    arguments.fail(key, "a number, or lists of numbers of equal length", value);
  if (!list) return numbers.values.push_back(value.get<float>());
  for (const Json& element : value) append(arguments, key, element, depth + 1, numbers);
}

Numbers numbers_of(const KerasArguments& arguments, const char* key, const Json& value) {
  Numbers numbers;
  for (const Json* inner = &value; inner->is_array() && !inner->empty(); inner = &(*inner)[0])
    numbers.shape.push_back(static_cast<std::int64_t>(inner->size()));
  append(arguments, key, value, 0, numbers);
  return numbers;
}

/// A number at the end of `shape`, or the lists that start at `next`.
Json nested(const Numbers& numbers, std::size_t depth, std::size_t& next) {
  if (depth == numbers.shape.size()) return number(numbers.values[next++]);
  Json list = Json::array();
  for (std::int64_t i = 0; i < numbers.shape[depth]; ++i) list.push_back(nested(numbers, depth + 1, next));
  return list;
}

/// A whole number for all of `numbers`, or a list with one for each; false: something else, or beyond the bounds.
bool read_numbers(const Json& value, const Bounds& bounds, std::span<std::int64_t> numbers) {
  if (!value.is_integer() && (!value.is_array() || value.size() != numbers.size())) return false;
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const Json& number = value.is_array() ? value[i] : value;
    if (!number.is_integer() || !bounds.hold(static_cast<double>(number.get<std::int64_t>()))) return false;
    numbers[i] = number.get<std::int64_t>();
  }
  return true;
}

}  // namespace

// --- reading ---

void KerasSettingReader::operator()(const Fixed& fixed) const {
  std::visit([&](const auto value) { arguments_.accept(fixed.name, Json(value)); }, fixed.value);
}

void KerasSettingReader::operator()(const Ignored& ignored) const { arguments_.take(ignored.name); }

void KerasSettingReader::operator()(const Field& field, float& value) const {
  if (field.null_if_zero && arguments_.has(field.name)) value = 0;  // unless a number says otherwise
  value = arguments_.take_float(field.name, value);
  if (!field.bounds.hold(value)) arguments_.fail(field.name, one_within("a number", field.bounds), value);
}

void KerasSettingReader::operator()(const Field& field, std::optional<float>& value) const {
  if (!arguments_.has(field.name)) return;
  const Json given = arguments_.take(field.name);
  value.reset();
  if (!given.is_null()) read_number(field, given, value.emplace());
}

void KerasSettingReader::read_number(const Field& field, const Json& given, float& value) const {
  if (!given.is_number() || !field.bounds.hold(given.get<float>()))
    arguments_.fail(field.name, one_within("a number", field.bounds), given);
  value = given.get<float>();
}

void KerasSettingReader::operator()(const Field& field, std::optional<std::int64_t>& value) const {
  const Json given = arguments_.take(field.name);
  value.reset();
  if (given.is_null()) return;
  if (!given.is_integer() || !field.bounds.hold(static_cast<double>(given.get<std::int64_t>())))
    arguments_.fail(field.name, one_within("a whole number", field.bounds), given);
  value = given.get<std::int64_t>();
}

void KerasSettingReader::operator()(const Field& field, std::int64_t& value) const {
  value = arguments_.take_int(field.name, value);
  if (!field.bounds.hold(static_cast<double>(value))) arguments_.fail(field.name, one_within("a whole number", field.bounds), value);
}

void KerasSettingReader::operator()(const Field& field, bool& value) const { value = arguments_.take_bool(field.name, value); }

void KerasSettingReader::operator()(const Field& field, std::optional<std::uint64_t>& seed) const {
  if (const std::int64_t given = arguments_.take_int(field.name, -1); given >= 0) seed = static_cast<std::uint64_t>(given);
}

void KerasSettingReader::operator()(const Field& field, ActivationFunction& function) const {
  const Json value = arguments_.take(field.name);
  if (value.is_null()) return;
  const auto look_up = [&] { return activation_from_name(keras_object(arguments_, field.name, value).name); };
  function = keras_look_up(arguments_, field.name, look_up);
}

void KerasSettingReader::operator()(const Field& field, Regularizer& regularizer) const {
  const Json value = arguments_.take(field.name);
  if (value.is_null()) return;
  const KerasObject object = keras_object(arguments_, field.name, value);
  const std::string name = snake_case(object.name);  // L1, L2, L1L2 and l1_l2
  if (name != "l1" && name != "l2" && name != "l1l2" && name != "l1_l2") arguments_.fail(field.name, "L1, L2 or L1L2", value);
  KerasArguments inner(arguments_.place() + ", " + field.name, object.config);
  regularizer = {inner.take_float("l1", name == "l1" && value.is_string() ? 0.01F : 0.F),
                 inner.take_float("l2", name == "l2" && value.is_string() ? 0.01F : 0.F)};
  inner.finish();
}

void KerasSettingReader::operator()(const Field& field, std::vector<std::int64_t>& values) const {
  const Json value = arguments_.take(field.name);
  values.clear();
  if (!value.is_null() && !value.is_array() && !value.is_integer()) arguments_.fail(field.name, "a whole number or a list of them", value);
  for (const Json& one : value.is_integer() ? Json::array({value}) : value) {
    if (!one.is_integer()) arguments_.fail(field.name, "whole numbers", value);
    values.push_back(one.get<std::int64_t>());
  }
}

void KerasSettingReader::operator()(const Field& field, std::vector<std::string>& texts) const {
  const Json value = arguments_.take(field.name);
  texts.clear();
  if (!value.is_null() && !value.is_array()) arguments_.fail(field.name, "a list of strings", value);
  for (const Json& one : value) {
    if (!one.is_string()) arguments_.fail(field.name, "a list of strings", value);
    texts.push_back(one.get<std::string>());
  }
}

void KerasSettingReader::operator()(const Field& field, Numbers& numbers) const {
  const Json given = arguments_.take(field.name);
  const Json& value = given.is_object() && given["class_name"] == "__tensor__" ? given["config"]["value"] : given;  // Keras' arrays
  if (!value.is_null()) numbers = numbers_of(arguments_, field.name, value);
  for (const float one : numbers.values) {
    if (!field.bounds.hold(one)) arguments_.fail(field.name, each_within("numbers", field.bounds), value);
  }
}

/// Missing or null stays as it is.
void KerasSettingReader::read_sizes(const Field& field, std::span<std::int64_t> sizes) const {
  const Json value = arguments_.take(field.name);
  const std::string expected = each_within("a whole number or a list of " + std::to_string(sizes.size()), field.bounds);
  if (!value.is_null() && !read_numbers(value, field.bounds, sizes)) arguments_.fail(field.name, expected, value);
}

void KerasSettingReader::operator()(const Field& field, Margins& margins) const {
  const Json value = arguments_.take(field.name);
  if (value.is_null()) return;
  for (std::size_t axis = 0; axis < 2; ++axis) {
    const bool both = !value.is_array() || value.size() == 2;
    if (!both || !read_numbers(value.is_array() ? value[axis] : value, field.bounds, margins[axis].along)) {
      arguments_.fail(field.name, each_within("a whole number, or a list of two, each a number or a pair", field.bounds), value);
    }
  }
}

void KerasSettingReader::operator()(const Field& field, Range& range) const {
  const Json value = arguments_.take(field.name);
  if (value.is_null()) return;
  const bool pair = value.is_array() && value.size() == 2 && value[0].is_number() && value[1].is_number();
  const std::vector<float> ends = pair || value.is_number() ? numbers_of(arguments_, field.name, value).values : std::vector<float>();
  if (ends.size() == 1 && !value.is_array()) range = ends[0];
  if (ends.size() == 2) range = {ends[0], ends[1]};
  const bool fits = ends.size() == (value.is_array() ? 2U : 1U) && field.bounds.hold(range.low) && field.bounds.hold(range.high);
  if (!fits) arguments_.fail(field.name, each_within("a number or a list of two", field.bounds), value);
}

void KerasSettingReader::operator()(const Field& field, std::vector<std::optional<std::int64_t>>& values) const {
  const Json value = arguments_.take(field.name);
  values.clear();
  if (value.is_null()) return;
  if (!value.is_array()) arguments_.fail(field.name, "a list of whole numbers and nulls", value);
  for (const Json& one : value) {
    std::int64_t number = 0;
    if (!one.is_null() && !read_numbers(one, field.bounds, {&number, 1}))
      arguments_.fail(field.name, each_within("whole numbers or null", field.bounds), value);
    values.push_back(one.is_null() ? std::optional<std::int64_t>() : number);
  }
}

// --- writing ---

void KerasSettingWriter::operator()(const Fixed& fixed) const {
  if (!fixed.written) return;
  std::visit([&](const auto value) { config_[fixed.name] = value; }, fixed.value);
}

void KerasSettingWriter::operator()(const Field& field, float value) const {
  config_[field.name] = field.null_if_zero && value == 0 ? Json(nullptr) : number(value);
}

void KerasSettingWriter::operator()(const Field& field, const std::optional<float>& value) const {
  config_[field.name] = value ? number(*value) : Json(nullptr);
}

void KerasSettingWriter::operator()(const Field& field, const std::optional<std::int64_t>& value) const {
  config_[field.name] = value ? Json(*value) : Json(nullptr);
}

void KerasSettingWriter::operator()(const Field& field, const std::vector<std::optional<std::int64_t>>& values) const {
  Json list = Json::array();
  for (const auto& value : values) list.push_back(value ? Json(*value) : Json(nullptr));
  config_[field.name] = values.empty() ? Json(nullptr) : list;
}

void KerasSettingWriter::operator()(const Field& field, const Margins& margins) const {
  const auto pair = [](const Sizes<2>& sizes) { return Json::array({sizes[0], sizes[1]}); };
  config_[field.name] = Json::array({pair(margins[0]), pair(margins[1])});
}

void KerasSettingWriter::operator()(const Field& field, const Range& range) const {
  config_[field.name] = Json::array({number(range.low), number(range.high)});
}

void KerasSettingWriter::operator()(const Field& field, std::int64_t value) const {
  config_[field.name] = field.null_if_zero && value == 0 ? Json(nullptr) : Json(value);
}

void KerasSettingWriter::operator()(const Field& field, bool value) const { config_[field.name] = value; }

void KerasSettingWriter::operator()(const Field& field, const std::optional<std::uint64_t>& seed) const {
  config_[field.name] = seed ? Json(*seed) : Json(nullptr);
}

void KerasSettingWriter::operator()(const Field& field, ActivationFunction function) const {
  config_[field.name] = std::string(name_of(function));
}

void KerasSettingWriter::operator()(const Field& field, const Regularizer& regularizer) const {
  Json config = Json::object();
  if (regularizer.l1 != 0) config["l1"] = number(regularizer.l1);
  if (regularizer.l2 != 0) config["l2"] = number(regularizer.l2);
  const char* const class_name = regularizer.l2 == 0 ? "L1" : regularizer.l1 == 0 ? "L2" : "L1L2";
  config_[field.name] = config.empty() ? Json(nullptr) : keras_envelope("keras.regularizers", class_name, config);
}

void KerasSettingWriter::operator()(const Field& field, const std::vector<std::int64_t>& values) const {
  if (field.null_if_zero && values.empty()) {
    config_[field.name] = nullptr;
    return;
  }
  config_[field.name] = field.bare_if_one && values.size() == 1 ? Json(values[0]) : Json(values);
}

void KerasSettingWriter::operator()(const Field& field, const std::vector<std::string>& texts) const {
  Json list = Json::array();
  for (const std::string& text : texts) list.push_back(text);
  config_[field.name] = list;
}

void KerasSettingWriter::operator()(const Field& field, const Numbers& numbers) const {
  std::size_t next = 0;
  config_[field.name] = numbers.empty() ? Json(nullptr) : nested(numbers, 0, next);
}

Json keras_envelope(const char* module, std::string_view class_name, Json config) {
  return {{"module", module}, {"class_name", class_name}, {"config", std::move(config)}, {"registered_name", nullptr}};
}

}  // namespace lockstep
