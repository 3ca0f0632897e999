#pragma once
#include <algorithm>
#include <cmath>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <optional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

#include "core/compile/regularizer.h"
#include "core/compile/sizes.h"
#include "core/data/numbers.h"

namespace lockstep {

// One description per kind. A layer, a loss, a metric or an optimizer is a struct with `static constexpr Kind kKind` and a function
// fields(S& kind, Visit&& visit), which calls visit(Field, value) once for every setting, in the order in which Keras writes them. Whoever
// reads, writes or checks settings by name is a visitor. A kind joins its list by being an alternative of its variant.

/// What a kind is called.
struct Kind {
  std::string_view class_name;       ///< Keras' class: "BinaryCrossentropy"
  std::string_view name = {};        ///< Keras' string, or another name: "binary_crossentropy"
  std::string_view short_name = {};  ///< Keras' short string, which may also be written in capitals: "bce"
  bool has_products = false;         ///< of layers: computes products, in the type of the DtypePolicy
  bool takes_trainable = true;       ///< of layers: Keras' class has the argument `trainable`
};

/// The values that a number may have.
struct Bounds {
  double least = -std::numeric_limits<double>::infinity(), most = std::numeric_limits<double>::infinity();
  bool above = false, below = false;  ///< `least`, `most` themselves are not allowed

  bool hold(double value) const {
    return std::isfinite(value) && (above ? value > least : value >= least) && (below ? value < most : value <= most);
  }
  /// "at least 0", "in [0, 1)"
  std::string text() const;
};
constexpr Bounds at_least(double least) { return {.least = least}; }
constexpr Bounds above(double least) { return {.least = least, .above = true}; }
constexpr Bounds between(double least, double most) { return {.least = least, .most = most}; }
constexpr Bounds from_to_below(double least, double most) { return {.least = least, .most = most, .below = true}; }

/// A setting: a number, a list of numbers, a flag, a string, a Choice, or a KindSetting.
struct Field {
  const char* name;           ///< Keras' argument and the key of a YAML configuration
  Bounds bounds = {};         ///< of a number, or of each number of a list
  bool required = false;      ///< has no default in a YAML configuration
  bool null_if_zero = false;  ///< Keras' way to write that it is off
  bool bare_if_one = false;   ///< Keras writes a list of one number as that number
};

/// An argument that Keras writes and that can have this value only; nullptr: None.
struct Fixed {
  const char* name;
  std::variant<std::nullptr_t, const char*, bool> value = nullptr;
  bool written = true;  ///< false: older versions of Keras do not take it
};

/// An argument that some Keras versions write and that has no effect here: skipped on reading, never written.
struct Ignored {
  const char* name;
};

template <class S, class T>
concept Is = std::same_as<std::remove_const_t<S>, T>;

template <class T, class Variant>
struct IsAlternative : std::false_type {};
template <class T, class... Alternatives>
struct IsAlternative<T, std::variant<Alternatives...>> : std::disjunction<std::is_same<T, Alternatives>...> {};
template <class T, class Variant>
concept AlternativeOf = IsAlternative<T, Variant>::value;

/// A setting that is a kind with settings of its own, such as an initializer: `kind`, an optional of the variant `Kinds` that is empty if
/// there is none, `kNoun` for messages, and `kModule`, where Keras has it. With a member `number` it may be a plain number instead.
template <class T>
concept KindSetting = requires(T setting) {
  typename T::Kinds;
  setting.kind;
  T::kNoun;
  T::kModule;
};

template <class T>
concept NumberOrKind = KindSetting<T> && requires(T setting) {
  setting.number;
};

/// Of kinds without settings.
template <class S, class Visit>
requires std::is_empty_v<S>
void fields(S&, Visit&&) {}

template <class... F>
struct Overloaded : F... {
  using F::operator()...;
};

/// Calls visit(Alternative{}) for every alternative of a variant, in order.
template <class Variant, class Visit>
void for_each_alternative(const Visit& visit) {
  [&]<std::size_t... I>(std::index_sequence<I...>) { (visit(std::variant_alternative_t<I, Variant>{}), ...); }
  (std::make_index_sequence<std::variant_size_v<Variant>>{});
}

/// What the alternative of a variant is called.
template <class Variant>
const Kind& kind_of(const Variant& variant) {
  return std::visit([](const auto& one) -> const Kind& { return std::remove_cvref_t<decltype(one)>::kKind; }, variant);
}

/// Whether Keras knows a kind by this name: its class, its string, or the short one in small or capital letters.
bool is_called(const Kind& kind, std::string_view name);

[[noreturn]] void throw_unknown_kind(std::string_view noun, std::string_view name, const std::string& known);

/// The alternative, with its defaults, that is called so; nothing if none is.
template <class Variant>
std::optional<Variant> alternative_called(std::string_view name) {
  std::optional<Variant> found;
  for_each_alternative<Variant>([&]<class Alternative>(Alternative alternative) {
    if (!found && is_called(Alternative::kKind, name)) found = std::move(alternative);
  });
  return found;
}

/// Keras' strings of all alternatives: {"sgd", "adam", ...}.
template <class Variant>
std::vector<std::string> kind_names() {
  std::vector<std::string> names;
  for_each_alternative<Variant>([&]<class Alternative>(const Alternative&) { names.emplace_back(Alternative::kKind.name); });
  return names;
}

/// "mean_squared_error (mse), huber": the same as a text, with the short strings.
template <class Variant>
std::string known_names() {
  std::string known;
  for_each_alternative<Variant>([&]<class Alternative>(const Alternative&) {
    const Kind& kind = Alternative::kKind;
    known += (known.empty() ? "" : ", ") + std::string(kind.name.empty() ? kind.class_name : kind.name);
    if (!kind.short_name.empty()) known += " (" + std::string(kind.short_name) + ")";
  });
  return known;
}

/// An unknown name is an Error (kUsage) that lists those there are.
template <KindSetting Setting>
typename Setting::Kinds kind_from_name(std::string_view name) {
  if (auto found = alternative_called<typename Setting::Kinds>(name)) return *found;
  throw_unknown_kind(Setting::kNoun, name, known_names<typename Setting::Kinds>());
}

/// A visitor of a const kind: an Error (kUsage) "WHAT: momentum is 2, it must be in [0, 1]" about a number beyond its bounds.
class BoundsCheck {
 public:
  explicit BoundsCheck(std::string_view what) : what_(what) {}
  void operator()(const Field& field, float value) const { check(field, value, number_text(value)); }
  void operator()(const Field& field, std::int64_t value) const { check(field, static_cast<double>(value), std::to_string(value)); }
  void operator()(const Field& field, const Numbers& numbers) const {
    for (const float value : numbers.values) (*this)(field, value);
  }
  void operator()(const Field& field, const std::vector<std::int64_t>& values) const {
    for (const std::int64_t value : values) (*this)(field, value);
  }
  template <std::size_t N>
  void operator()(const Field& field, const Sizes<N>& sizes) const {
    for (const std::int64_t size : sizes.along) (*this)(field, size);
  }
  template <std::size_t N>
  void operator()(const Field& field, const std::optional<Sizes<N>>& sizes) const {
    if (sizes) (*this)(field, *sizes);
  }
  void operator()(const Field& field, const Margins& margins) const {
    for (const Sizes<2>& sizes : margins.along) (*this)(field, sizes);
  }
  void operator()(const Field& field, const Range& range) const {
    for (const float end : {range.low, range.high}) (*this)(field, end);
  }
  void operator()(const Field& field, const std::optional<float>& value) const {
    if (value) (*this)(field, *value);
  }
  void operator()(const Field& field, const std::vector<std::optional<std::int64_t>>& values) const {
    for (const auto& value : values) {
      if (value) (*this)(field, *value);
    }
  }
  void operator()(const Field& field, const Regularizer& regularizer) const {
    (*this)({field.name, at_least(0)}, regularizer.l1);
    (*this)({field.name, at_least(0)}, regularizer.l2);
  }
  template <KindSetting Setting>
  void operator()(const Field& field, const Setting& setting) const {
    const BoundsCheck inner(what_ + ", " + field.name);
    if (setting.kind) {
      std::visit([&](const auto& one) { fields(one, inner); }, *setting.kind);
    } else if constexpr (NumberOrKind<Setting>) {
      (*this)(field, setting.number);
    }
  }
  template <class Other>
  void operator()(const Field&, const Other&) const {}
  void operator()(const Fixed&) const {}
  void operator()(const Ignored&) const {}

 private:
  static std::string number_text(float value);
  void check(const Field& field, double value, const std::string& text) const;
  std::string what_;
};

}  // namespace lockstep
