#include "cluster/json.h"

#include <array>
#include <limits>
#include <nlohmann/json.hpp>

namespace lockstep {
namespace {

using Library = nlohmann::json;

constexpr std::size_t kDeepest = 100;  // values are copied, written and destroyed by recursion

[[noreturn]] void fail(const char* expected, const Json& found) {
  const char* const what = found.is_null()     ? "null"
                           : found.is_bool()   ? "true or false"
                           : found.is_number() ? "a number"
                           : found.is_string() ? "a string"
                           : found.is_array()  ? "an array"
                                               : "an object";
  throw JsonError(std::string("expected ") + expected + ", found " + (found.is_number() ? found.dump() : what));
}

std::string quoted(const std::string& text) { return Library(text).dump(-1, ' ', false, Library::error_handler_t::replace); }

}  // namespace

// --- reading and writing ---

/// What the library's parser calls: builds the value. Its functions answer whether to go on.
class Json::Reader {
 public:
  explicit Reader(Json& root) : next_(&root) {}

  bool null() { return put(nullptr); }
  bool boolean(bool value) { return put(value); }
  bool number_integer(std::int64_t value) { return put(value); }
  bool number_unsigned(std::uint64_t value) { return put(value); }
  bool number_float(double value, const std::string&) { return put(value); }
  bool string(std::string& value) { return put(std::move(value)); }
  bool binary(std::vector<std::uint8_t>&) { return false; }  // not in JSON
  bool start_array(std::size_t) { return open(Array()); }
  bool start_object(std::size_t) { return open(Object()); }
  bool end_array() { return close(); }
  bool end_object() { return close(); }
  bool key(std::string& name) {
    Object& members = std::get<Object>(open_.back().value->value_);
    const auto [place, is_new] = open_.back().places.try_emplace(name, members.size());
    if (is_new) members.push_back({std::move(name), {}});
    next_ = &members[place->second].value;
    return true;
  }
  [[noreturn]] bool parse_error(std::size_t, const std::string&, const Library::exception& error) { throw JsonError(error.what()); }

 private:
  /// An array or object whose end has not been read.
  struct Open {
    Json* value;
    std::map<std::string, std::size_t> places;  // of an object's keys
  };

  template <class T>
  bool put(T value) {
    slot() = std::move(value);
    return true;
  }
  template <class T>
  bool open(T value) {
    if (open_.size() == kDeepest) throw JsonError("it is nested more than " + std::to_string(kDeepest) + " deep");
    Json& place = slot();
    place.value_ = std::move(value);
    open_.push_back({&place, {}});
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }
  /// Where the value that was just read belongs.
  Json& slot() {
    if (next_ != nullptr) return *std::exchange(next_, nullptr);
    return std::get<Array>(open_.back().value->value_).emplace_back();
  }

  Json* next_;  // the root or a member's value; null: the next element of the array
  std::vector<Open> open_;
};

Json Json::parse(std::string_view text) {
  Json root;
  Reader reader(root);
  Library::sax_parse(text.begin(), text.end(), &reader);
  return root;
}

Json Json::parse_or_null(std::string_view text) {
  try {
    return parse(text);
  } catch (const JsonError&) {
    return nullptr;
  }
}

std::string Json::dump(int indent) const {
  std::string text;
  write(indent, 0, text);
  return text;
}

void Json::write(int indent, int column, std::string& text) const {
  const auto write_all = [&](const char* brackets, const auto& all, const auto& write_one) {
    const int inner = column + indent;
    const auto line = [&](int at) {
      if (indent >= 0) text.append(1, '\n').append(static_cast<std::size_t>(at), ' ');
    };
    text += brackets[0];
    for (const auto& one : all) {
      if (&one != &all.front()) text += ',';
      line(inner);
      write_one(one, inner);
    }
    if (!all.empty()) line(column);
    text += brackets[1];
  };
  if (const auto* elements = std::get_if<Array>(&value_)) {
    write_all("[]", *elements, [&](const Json& element, int inner) { element.write(indent, inner, text); });
  } else if (const auto* members = std::get_if<Object>(&value_)) {
    write_all("{}", *members, [&](const Member& member, int inner) {
      text += quoted(member.key) + (indent >= 0 ? ": " : ":");
      member.value.write(indent, inner, text);
    });
  } else if (const auto* string = std::get_if<std::string>(&value_)) {
    text += quoted(*string);
  } else if (const auto* number = std::get_if<double>(&value_)) {
    text += Library(*number).dump();
  } else if (const auto* large = std::get_if<std::uint64_t>(&value_)) {
    text += std::to_string(*large);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    text += std::to_string(*integer);
  } else if (const auto* yes = std::get_if<bool>(&value_)) {
    text += *yes ? "true" : "false";
  } else {
    text += "null";
  }
}

// --- making ---

Json::Json(std::nullptr_t) : value_(nullptr) {}
Json::Json(bool value) : value_(value) {}
Json::Json(std::int64_t value) : value_(value) {}
Json::Json(std::uint64_t value) : value_(value) {
  if (value <= std::numeric_limits<std::int64_t>::max()) value_ = static_cast<std::int64_t>(value);
}
Json::Json(double value) : value_(value) {}
Json::Json(std::string value) : value_(std::move(value)) {}
Json::Json(std::initializer_list<Member> members) : value_(Object(members)) {}
Json::Json(const Json&) = default;
Json::Json(Json&&) noexcept = default;
Json& Json::operator=(const Json&) = default;
Json& Json::operator=(Json&&) noexcept = default;
Json::~Json() = default;

Json Json::array(std::initializer_list<Json> elements) {
  Json json;
  json.value_ = Array(elements);
  return json;
}

Json Json::object() {
  Json json;
  json.value_ = Object();
  return json;
}

// --- kinds ---

bool Json::is_null() const { return std::holds_alternative<std::nullptr_t>(value_); }
bool Json::is_bool() const { return std::holds_alternative<bool>(value_); }
bool Json::is_number() const { return is_integer() || std::holds_alternative<double>(value_); }
bool Json::is_integer() const { return std::holds_alternative<std::int64_t>(value_) || std::holds_alternative<std::uint64_t>(value_); }
bool Json::is_string() const { return std::holds_alternative<std::string>(value_); }
bool Json::is_array() const { return std::holds_alternative<Array>(value_); }
bool Json::is_object() const { return std::holds_alternative<Object>(value_); }

void Json::get_to(bool& value) const {
  if (!is_bool()) fail("true or false", *this);
  value = std::get<bool>(value_);
}

void Json::get_to(int& value) const {
  const auto wide = get<std::int64_t>();
  if (!std::in_range<int>(wide)) fail("an integer of 32 bits", *this);
  value = static_cast<int>(wide);
}

void Json::get_to(std::int64_t& value) const {
  if (!std::holds_alternative<std::int64_t>(value_)) fail("an integer", *this);
  value = std::get<std::int64_t>(value_);
}

void Json::get_to(std::uint64_t& value) const {
  const auto* const large = std::get_if<std::uint64_t>(&value_);
  const auto* const small = std::get_if<std::int64_t>(&value_);
  if (large == nullptr && (small == nullptr || *small < 0)) fail("an integer from 0 on", *this);
  value = large != nullptr ? *large : static_cast<std::uint64_t>(*small);
}

void Json::get_to(float& value) const { value = static_cast<float>(get<double>()); }

void Json::get_to(double& value) const {
  if (const auto* large = std::get_if<std::uint64_t>(&value_)) {
    value = static_cast<double>(*large);
  } else if (const auto* integer = std::get_if<std::int64_t>(&value_)) {
    value = static_cast<double>(*integer);
  } else if (const auto* number = std::get_if<double>(&value_)) {
    value = *number;
  } else {
    fail("a number", *this);
  }
}

void Json::get_to(std::string& value) const {
  if (!is_string()) fail("a string", *this);
  value = std::get<std::string>(value_);
}

// --- what is inside ---

std::size_t Json::size() const { return is_array() ? elements().size() : is_object() ? members().size() : 0; }

const std::vector<Json>& Json::elements() const {
  static const Array none;
  if (is_null()) return none;
  if (!is_array()) fail("an array", *this);
  return std::get<Array>(value_);
}

const std::vector<Json::Member>& Json::members() const {
  static const Object none;
  if (is_null()) return none;
  if (!is_object()) fail("an object", *this);
  return std::get<Object>(value_);
}

void Json::push_back(Json element) {
  if (is_null()) value_ = Array();
  if (!is_array()) fail("an array", *this);
  std::get<Array>(value_).push_back(std::move(element));
}

const Json* Json::find(std::string_view key) const {
  for (const Member& member : members()) {
    if (member.key == key) return &member.value;
  }
  return nullptr;
}

const Json& Json::operator[](std::string_view key) const {
  static const Json none;
  const Json* const found = is_object() ? find(key) : nullptr;
  return found == nullptr ? none : *found;
}

Json& Json::operator[](std::string_view key) {
  if (is_null()) value_ = Object();
  if (!is_object()) fail("an object", *this);
  auto& members = std::get<Object>(value_);
  for (Member& member : members) {
    if (member.key == key) return member.value;
  }
  return members.emplace_back(std::string(key), Json()).value;
}

const Json& Json::at(std::string_view key) const {
  if (const Json* const found = find(key); found != nullptr) return *found;
  throw JsonError("key '" + std::string(key) + "' is missing");
}

bool Json::operator==(const Json& other) const {
  if (is_number() && other.is_number() && value_.index() != other.value_.index()) return get<double>() == other.get<double>();
  return value_ == other.value_;
}

}  // namespace lockstep
