#pragma once
#include <array>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <variant>

#include "core/compile/choice.h"
#include "core/compile/kinds.h"
#include "core/data/shape.h"

namespace lockstep {

// Initial values of a weight, Keras 3's distributions (keras/src/initializers). With a `seed` they follow from it and the shape alone, as
// in Keras; without, from the model's seed and the weight.

/// All values the same.
struct Constant {
  static constexpr Kind kKind = {.class_name = "Constant", .name = "constant"};
  float value = 0;
  bool operator==(const Constant&) const = default;
};
struct Zeros {
  static constexpr Kind kKind = {.class_name = "Zeros", .name = "zeros", .short_name = "zero"};
  bool operator==(const Zeros&) const = default;
};
struct Ones {
  static constexpr Kind kKind = {.class_name = "Ones", .name = "ones", .short_name = "one"};
  bool operator==(const Ones&) const = default;
};
/// gain on the diagonal of a matrix, else 0.
struct Identity {
  static constexpr Kind kKind = {.class_name = "Identity", .name = "identity"};
  float gain = 1;
  bool operator==(const Identity&) const = default;
};
/// gain times a matrix with orthonormal columns, or rows if they are fewer; the axes before the last one count as one.
struct Orthogonal {
  static constexpr Kind kKind = {.class_name = "Orthogonal", .name = "orthogonal"};
  float gain = 1;
  std::optional<std::uint64_t> seed = {};
  bool operator==(const Orthogonal&) const = default;
};
struct RandomNormal {
  static constexpr Kind kKind = {.class_name = "RandomNormal", .name = "random_normal", .short_name = "normal"};
  float mean = 0;
  float stddev = 0.05F;
  std::optional<std::uint64_t> seed = {};
  bool operator==(const RandomNormal&) const = default;
};
/// Within two stddev of the mean.
struct TruncatedNormal {
  static constexpr Kind kKind = {.class_name = "TruncatedNormal", .name = "truncated_normal"};
  float mean = 0;
  float stddev = 0.05F;
  std::optional<std::uint64_t> seed = {};
  bool operator==(const TruncatedNormal&) const = default;
};
/// U[minval, maxval).
struct RandomUniform {
  static constexpr Kind kKind = {.class_name = "RandomUniform", .name = "random_uniform", .short_name = "uniform"};
  float minval = -0.05F;
  float maxval = 0.05F;
  std::optional<std::uint64_t> seed = {};
  bool operator==(const RandomUniform&) const = default;
};

/// The number n of a weight's inputs, of its outputs, or the mean of both. The last two axes are those of a kernel; axes before them
/// multiply both.
enum class FanMode { fan_in, fan_out, fan_avg };
constexpr std::array<std::pair<std::string_view, FanMode>, 3> choices(FanMode) {
  return {{{"fan_in", FanMode::fan_in}, {"fan_out", FanMode::fan_out}, {"fan_avg", FanMode::fan_avg}}};
}
/// normal: truncated at two standard deviations, or not.
enum class Distribution { truncated_normal, untruncated_normal, uniform };
constexpr std::array<std::pair<std::string_view, Distribution>, 3> choices(Distribution) {
  return {{{"truncated_normal", Distribution::truncated_normal},
           {"untruncated_normal", Distribution::untruncated_normal},
           {"uniform", Distribution::uniform}}};
}

/// Mean 0 and variance scale / max(1, n).
struct VarianceScaling {
  static constexpr Kind kKind = {.class_name = "VarianceScaling", .name = "variance_scaling"};
  float scale = 1;
  FanMode mode = FanMode::fan_in;
  Distribution distribution = Distribution::truncated_normal;
  std::optional<std::uint64_t> seed = {};
  bool operator==(const VarianceScaling&) const = default;
};
// VarianceScaling by other names: glorot has variance 2 / (fan_in + fan_out), he 2 / fan_in, lecun 1 / fan_in.
struct GlorotUniform {
  static constexpr Kind kKind = {.class_name = "GlorotUniform", .name = "glorot_uniform"};
  std::optional<std::uint64_t> seed = {};
  bool operator==(const GlorotUniform&) const = default;
};
struct GlorotNormal {
  static constexpr Kind kKind = {.class_name = "GlorotNormal", .name = "glorot_normal"};
  std::optional<std::uint64_t> seed = {};
  bool operator==(const GlorotNormal&) const = default;
};
struct HeUniform {
  static constexpr Kind kKind = {.class_name = "HeUniform", .name = "he_uniform"};
  std::optional<std::uint64_t> seed = {};
  bool operator==(const HeUniform&) const = default;
};
struct HeNormal {
  static constexpr Kind kKind = {.class_name = "HeNormal", .name = "he_normal"};
  std::optional<std::uint64_t> seed = {};
  bool operator==(const HeNormal&) const = default;
};
struct LecunUniform {
  static constexpr Kind kKind = {.class_name = "LecunUniform", .name = "lecun_uniform"};
  std::optional<std::uint64_t> seed = {};
  bool operator==(const LecunUniform&) const = default;
};
struct LecunNormal {
  static constexpr Kind kKind = {.class_name = "LecunNormal", .name = "lecun_normal"};
  std::optional<std::uint64_t> seed = {};
  bool operator==(const LecunNormal&) const = default;
};

template <Is<Constant> S, class Visit>
void fields(S& constant, Visit&& visit) {
  visit(Field{"value"}, constant.value);
}
template <Is<Identity> S, class Visit>
void fields(S& identity, Visit&& visit) {
  visit(Field{"gain"}, identity.gain);
}
template <Is<Orthogonal> S, class Visit>
void fields(S& orthogonal, Visit&& visit) {
  visit(Field{"seed"}, orthogonal.seed);
  visit(Field{"gain"}, orthogonal.gain);
}
template <class S, class Visit>
requires Is<S, RandomNormal> || Is<S, TruncatedNormal>
void fields(S& normal, Visit&& visit) {
  visit(Field{"seed"}, normal.seed);
  visit(Field{"mean"}, normal.mean);
  visit(Field{"stddev", at_least(0)}, normal.stddev);
}
template <Is<RandomUniform> S, class Visit>
void fields(S& uniform, Visit&& visit) {
  visit(Field{"seed"}, uniform.seed);
  visit(Field{"minval"}, uniform.minval);
  visit(Field{"maxval"}, uniform.maxval);
}
template <Is<VarianceScaling> S, class Visit>
void fields(S& scaling, Visit&& visit) {
  visit(Field{"seed"}, scaling.seed);
  visit(Field{"scale", above(0)}, scaling.scale);
  visit(Field{"mode"}, scaling.mode);
  visit(Field{"distribution"}, scaling.distribution);
}
template <class S, class Visit>
requires Is<S, GlorotUniform> || Is<S, GlorotNormal> || Is<S, HeUniform> || Is<S, HeNormal> || Is<S, LecunUniform> || Is<S, LecunNormal>
void fields(S& scaling, Visit&& visit) { visit(Field{"seed"}, scaling.seed); }

/// Any of the above: `Initializer::he_normal`, `HeNormal{.seed = 7}`.
struct Initializer {
  static constexpr const char *kNoun = "initializer", *kModule = "keras.initializers";
  using Kinds = std::variant<GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Zeros, Ones, Constant, Identity,
                             Orthogonal, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling>;

  constexpr Initializer(Kinds kinds) : kind(kinds) {}
  template <AlternativeOf<Kinds> One>
  constexpr Initializer(One one) : kind(one) {}
  bool operator==(const Initializer&) const = default;

  std::optional<Kinds> kind;  ///< never empty

  static const Initializer glorot_uniform, glorot_normal, he_uniform, he_normal, lecun_uniform, lecun_normal, zeros, ones;
};
inline constexpr Initializer Initializer::glorot_uniform = GlorotUniform{};
inline constexpr Initializer Initializer::glorot_normal = GlorotNormal{};
inline constexpr Initializer Initializer::he_uniform = HeUniform{};
inline constexpr Initializer Initializer::he_normal = HeNormal{};
inline constexpr Initializer Initializer::lecun_uniform = LecunUniform{};
inline constexpr Initializer Initializer::lecun_normal = LecunNormal{};
inline constexpr Initializer Initializer::zeros = Zeros{};
inline constexpr Initializer Initializer::ones = Ones{};

/// "he_normal"
std::string_view name_of(const Initializer& initializer);
/// With Keras' defaults; an unknown name is an Error (kUsage) that lists those there are.
Initializer initializer_from_name(std::string_view name);

/// Fills `values` (row-major, elements(shape) of them). Each value is a pure function of (seed, id, shape, its index): the same on every
/// rank and machine with the same libm; `id` tells one weight of a model from another. A shape that the initializer cannot fill is an Error
/// (kUsage).
void initialize(const Initializer& initializer, const Shape& shape, std::uint64_t seed, std::uint32_t id, std::span<float> values);

}  // namespace lockstep
