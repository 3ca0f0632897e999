#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/json.h"
#include "core/compile/choice.h"
#include "core/compile/kinds.h"
#include "core/layers/layers.h"
#include "io/keras/arguments.h"

// The settings of a kind in config.json: visitors of its fields (core/compile/kinds.h).
namespace lockstep {

/// Reads every setting. What is missing or null stays at its default, a list is empty then. A value of another type or beyond its bounds is
/// an Error (kUsage).
class KerasSettingReader {
 public:
  explicit KerasSettingReader(KerasArguments& arguments) : arguments_(arguments) {}
  void operator()(const Fixed& fixed) const;
  void operator()(const Ignored& ignored) const;
  void operator()(const Field& field, float& value) const;
  void operator()(const Field& field, std::optional<float>& value) const;
  void operator()(const Field& field, std::int64_t& value) const;
  void operator()(const Field& field, bool& value) const;
  void operator()(const Field& field, std::optional<std::uint64_t>& seed) const;
  void operator()(const Field& field, ActivationFunction& function) const;
  void operator()(const Field& field, Initializer& initializer) const;
  void operator()(const Field& field, Regularizer& regularizer) const;
  void operator()(const Field& field, std::vector<std::int64_t>& values) const;
  void operator()(const Field& field, std::vector<float>& values) const;
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

 private:
  void read_sizes(const Field& field, std::span<std::int64_t> sizes) const;

  KerasArguments& arguments_;
};

/// Writes every setting as Keras does, in the order of the fields. A number that is not finite is an Error.
class KerasSettingWriter {
 public:
  explicit KerasSettingWriter(Json& config) : config_(config) {}
  void operator()(const Fixed& fixed) const;
  void operator()(const Ignored&) const {}
  void operator()(const Field& field, float value) const;
  void operator()(const Field& field, const std::optional<float>& value) const;
  void operator()(const Field& field, std::int64_t value) const;
  void operator()(const Field& field, bool value) const;
  void operator()(const Field& field, const std::optional<std::uint64_t>& seed) const;
  void operator()(const Field& field, ActivationFunction function) const;
  void operator()(const Field& field, Initializer initializer) const;
  void operator()(const Field& field, const Regularizer& regularizer) const;
  void operator()(const Field& field, const std::vector<std::int64_t>& values) const;
  void operator()(const Field& field, const std::vector<float>& values) const;
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

 private:
  Json& config_;
};

/// An object as Keras 3 writes it: {"module", "class_name", "config", "registered_name"}.
Json keras_envelope(const char* module, std::string_view class_name, Json config);

}  // namespace lockstep
