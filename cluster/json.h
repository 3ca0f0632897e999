#pragma once
#include <cstdint>
#include <initializer_list>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

namespace lockstep {

/// A text that is not JSON, or a value that is not what was asked for.
class JsonError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

/// A JSON value: null, bool, number, string, array or object. An object keeps its keys in the order in which they came.
///
///   Json json{{"name", "run"}, {"loss", Json::array({0.5, 0.25})}, {"best", {{"epoch", 2}}}};
///   json["versions"] = versions;                       // a map is an object, a vector an array, an empty optional null
///   const auto epoch = json.at("best").at("epoch").get<std::int64_t>();
///
/// The JSON library is included in json.cpp alone: it costs seconds in every file that includes it.
class Json {
 public:
  struct Member;

  Json(std::nullptr_t = nullptr);
  Json(bool value);
  Json(std::int64_t value);
  Json(std::uint64_t value);
  Json(double value);
  Json(int value) : Json(std::int64_t{value}) {}
  Json(unsigned value) : Json(std::uint64_t{value}) {}
  Json(float value) : Json(double{value}) {}
  Json(std::string value);
  Json(std::string_view value) : Json(std::string(value)) {}
  Json(const char* value) : Json(std::string(value)) {}
  Json(const void*) = delete;  // or it would be a bool
  Json(std::initializer_list<Member> members);
  template <class T>
  Json(const std::vector<T>& elements);
  template <class T>
  Json(const std::map<std::string, T>& members);
  template <class T>
  Json(const std::optional<T>& value) : Json(value ? Json(*value) : Json()) {}
  Json(const Json&);
  Json(Json&&) noexcept;
  Json& operator=(const Json&);
  Json& operator=(Json&&) noexcept;
  ~Json();
  static Json array(std::initializer_list<Json> elements = {});
  static Json object();

  /// If a key occurs twice, the last value counts. Throws JsonError if the text is not JSON or is nested deeper than 100.
  static Json parse(std::string_view text);
  /// The same; null where that throws.
  static Json parse_or_null(std::string_view text);
  /// On one line, or indented by so many spaces a level. Bytes that are not UTF-8 become U+FFFD, numbers that are not finite null.
  std::string dump(int indent = -1) const;

  bool is_null() const;
  bool is_bool() const;
  bool is_number() const;
  bool is_integer() const;  ///< written without a point or an exponent, and of 64 bits
  bool is_string() const;
  bool is_array() const;
  bool is_object() const;

  /// The value as a bool, number or string, a vector, a map or an optional. One of another kind, or an integer that does not fit, is a
  /// JsonError.
  template <class T>
  T get() const;
  void get_to(bool& value) const;
  void get_to(int& value) const;
  void get_to(std::int64_t& value) const;
  void get_to(std::uint64_t& value) const;
  void get_to(float& value) const;
  void get_to(double& value) const;
  void get_to(std::string& value) const;
  void get_to(Json& value) const { value = *this; }
  template <class T>
  void get_to(std::vector<T>& values) const;
  template <class T>
  void get_to(std::map<std::string, T>& values) const;
  template <class T>
  void get_to(std::optional<T>& value) const;

  /// Elements or members; other values have none.
  std::size_t size() const;
  bool empty() const { return size() == 0; }

  // --- arrays; null counts as empty; any other type is a JsonError ---
  const std::vector<Json>& elements() const;
  std::vector<Json>::const_iterator begin() const { return elements().begin(); }
  std::vector<Json>::const_iterator end() const { return elements().end(); }
  const Json& operator[](std::size_t index) const { return elements().at(index); }
  void push_back(Json element);

  // --- objects; null counts as empty; any other type is a JsonError ---
  const std::vector<Member>& members() const;
  bool contains(std::string_view key) const { return is_object() && find(key) != nullptr; }
  /// Null where there is no such key, or no object.
  const Json& operator[](std::string_view key) const;
  /// Makes the key, and an object of null.
  Json& operator[](std::string_view key);
  /// A JsonError where there is no such key.
  const Json& at(std::string_view key) const;
  /// `fallback` where there is no such key. A value of another type is a JsonError.
  template <class T>
  T value(std::string_view key, T fallback) const;
  std::string value(std::string_view key, const char* fallback) const { return value<std::string>(key, fallback); }

  /// Integers equal numbers of the same value; the order of keys counts.
  bool operator==(const Json& other) const;

 private:
  class Reader;
  using Array = std::vector<Json>;
  using Object = std::vector<Member>;

  const Json* find(std::string_view key) const;
  void write(int indent, int column, std::string& text) const;

  // An integer that fits is an std::int64_t, whatever it was made of.
  std::variant<std::nullptr_t, bool, std::int64_t, std::uint64_t, double, std::string, Array, Object> value_;
};

struct Json::Member {
  std::string key;
  Json value;
  bool operator==(const Member&) const = default;
};

template <class T>
Json::Json(const std::vector<T>& elements) : Json(array()) {
  for (const T& element : elements) push_back(element);
}

template <class T>
Json::Json(const std::map<std::string, T>& members) : Json(object()) {
  for (const auto& [key, value] : members) (*this)[key] = value;
}

template <class T>
T Json::get() const {
  T value{};
  get_to(value);
  return value;
}

template <class T>
void Json::get_to(std::vector<T>& values) const {
  values.clear();
  for (const Json& element : elements()) values.push_back(element.get<T>());
}

template <class T>
void Json::get_to(std::map<std::string, T>& values) const {
  values.clear();
  for (const auto& [key, value] : members()) values.emplace(key, value.template get<T>());
}

template <class T>
void Json::get_to(std::optional<T>& value) const {
  value = is_null() ? std::nullopt : std::optional<T>(get<T>());
}

template <class T>
T Json::value(std::string_view key, T fallback) const {
  const Json* const found = find(key);
  return found == nullptr ? std::move(fallback) : found->get<T>();
}

}  // namespace lockstep
