#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/json.h"
#include "core/compile/choice.h"
#include "core/compile/kinds.h"
#include "core/compile/optimizers.h"
#include "core/layers/layers.h"
#include "io/keras/arguments.h"

// The settings of a kind in config.json: visitors of its fields (core/compile/kinds.h).
namespace lockstep {

/// Reads every setting. What is missing or null stays at its default, a list is empty then. Null is off where it can be. A value of another
/// type or beyond its bounds is an Error (kUsage).
class KerasSettingReader {
 public:
  explicit KerasSettingReader(KerasArguments& arguments) : arguments_(arguments) {}
  void operator()(const Fixed& fixed) const;
  void operator()(const Ignored& ignored) const;
  void operator()(const Field& field, float& value) const;
  void operator()(const Field& field, std::optional<float>& value) const;
  void operator()(const Field& field, std::int64_t& value) const;
  void operator()(const Field& field, std::optional<std::int64_t>& value) const;
  void operator()(const Field& field, bool& value) const;
  void operator()(const Field& field, std::optional<std::uint64_t>& seed) const;
  void operator()(const Field& field, ActivationFunction& function) const;
  void operator()(const Field& field, Regularizer& regularizer) const;
  void operator()(const Field& field, std::vector<std::int64_t>& values) const;
  void operator()(const Field& field, std::vector<std::string>& texts) const;
  void operator()(const Field&, NamePatterns&) const {}
  void operator()(const Field& field, Numbers& numbers) const;
  void operator()(const Field& field, std::vector<std::optional<std::int64_t>>& values) const;
  void operator()(const Field& field, Margins& margins) const;
  void operator()(const Field& field, Range& range) const;
  /// A number or a list of N.
  template <std::size_t N>
  void operator()(const Field& field, Sizes<N>& sizes) const {
    read_sizes(field, sizes.along);
  }
  template <std::size_t N>
  void operator()(const Field& field, std::optional<Sizes<N>>& sizes) const {
    Sizes<N> read = -1;
    read_sizes(field, read.along);
    if (read[0] >= 0) sizes = read;
  }
  template <Choice E>
  void operator()(const Field& field, E& value) const {
    const std::string word = arguments_.take_string(field.name);
    if (!word.empty()) value = keras_look_up(arguments_, field.name, [&] { return choice_of<E>(word); });
  }
  template <KindSetting Setting>
  void operator()(const Field& field, Setting& setting) const;

 private:
  void read_sizes(const Field& field, std::span<std::int64_t> sizes) const;
  void read_number(const Field& field, const Json& given, float& value) const;

  KerasArguments& arguments_;
};

template <KindSetting Setting>
void KerasSettingReader::operator()(const Field& field, Setting& setting) const {
  const Json value = arguments_.take(field.name);
  if (value.is_null()) return;
  if constexpr (NumberOrKind<Setting>) {
    if (value.is_number()) return read_number(field, value, (setting = 0.F).number);
  }
  const KerasObject object = keras_object(arguments_, field.name, value);
  auto kind = keras_look_up(arguments_, field.name, [&] { return kind_from_name<Setting>(object.name); });
  KerasArguments inner(arguments_.place() + ", " + field.name, object.config);
  std::visit([&](auto& one) { fields(one, KerasSettingReader(inner)); }, kind);
  inner.finish();
  setting = std::move(kind);
}

/// Writes every setting as Keras does, in the order of the fields. A number that is not finite is an Error.
class KerasSettingWriter {
 public:
  explicit KerasSettingWriter(Json& config) : config_(config) {}
  void operator()(const Fixed& fixed) const;
  void operator()(const Ignored&) const {}
  void operator()(const Field& field, float value) const;
  void operator()(const Field& field, const std::optional<float>& value) const;
  void operator()(const Field& field, std::int64_t value) const;
  void operator()(const Field& field, const std::optional<std::int64_t>& value) const;
  void operator()(const Field& field, bool value) const;
  void operator()(const Field& field, const std::optional<std::uint64_t>& seed) const;
  void operator()(const Field& field, ActivationFunction function) const;
  void operator()(const Field& field, const Regularizer& regularizer) const;
  void operator()(const Field& field, const std::vector<std::int64_t>& values) const;
  void operator()(const Field& field, const std::vector<std::string>& texts) const;
  void operator()(const Field&, const NamePatterns&) const {}
  void operator()(const Field& field, const Numbers& numbers) const;
  void operator()(const Field& field, const std::vector<std::optional<std::int64_t>>& values) const;
  void operator()(const Field& field, const Margins& margins) const;
  void operator()(const Field& field, const Range& range) const;
  template <std::size_t N>
  void operator()(const Field& field, const Sizes<N>& sizes) const {
    (*this)(field, std::vector<std::int64_t>(sizes.along.begin(), sizes.along.end()));
  }
  template <std::size_t N>
  void operator()(const Field& field, const std::optional<Sizes<N>>& sizes) const {
    if (sizes) return (*this)(field, *sizes);
    config_[field.name] = Json(nullptr);
  }
  template <Choice E>
  void operator()(const Field& field, E value) const {
    config_[field.name] = std::string(word_of(value));
  }
  template <KindSetting Setting>
  void operator()(const Field& field, const Setting& setting) const;

 private:
  Json& config_;
};

/// An object as Keras 3 writes it: {"module", "class_name", "config", "registered_name"}.
Json keras_envelope(const char* module, std::string_view class_name, Json config);

template <KindSetting Setting>
void KerasSettingWriter::operator()(const Field& field, const Setting& setting) const {
  if (!setting.kind) {
    if constexpr (NumberOrKind<Setting>) return (*this)(field, setting.number);
    config_[field.name] = nullptr;
    return;
  }
  Json config = Json::object();
  std::visit([&](const auto& one) { fields(one, KerasSettingWriter(config)); }, *setting.kind);
  config_[field.name] = keras_envelope(Setting::kModule, kind_of(*setting.kind).class_name, std::move(config));
}

}  // namespace lockstep
