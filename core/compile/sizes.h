#pragma once
#include <algorithm>
#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>

namespace lockstep {

/// Lengths along the spatial axes of a row: {3, 5}, or 3 for the same along each. In YAML and Keras' files a number or a list.
template <std::size_t N>
struct Sizes {
  std::array<std::int64_t, N> along{};

  constexpr Sizes() = default;
  constexpr Sizes(std::int64_t each) { along.fill(each); }  // NOLINT: written as a number
  template <std::convertible_to<std::int64_t>... Each>
  requires(N > 1 && sizeof...(Each) == N) constexpr Sizes(Each... each) : along{static_cast<std::int64_t>(each)...} {}

  constexpr std::int64_t operator[](std::size_t axis) const { return along[axis]; }
  constexpr std::int64_t& operator[](std::size_t axis) { return along[axis]; }
  bool operator==(const Sizes&) const = default;
};

/// What is added to or cut from the height and the width of a row: {{top, bottom}, {left, right}}, or one number for both ends of an axis,
/// or for all four. In YAML and Keras' files the same as lists.
struct Margins {
  std::array<Sizes<2>, 2> along{};  ///< {before, after} of the height, of the width

  constexpr Margins() = default;
  constexpr Margins(std::int64_t each) : Margins(each, each) {}  // NOLINT: written as a number
  constexpr Margins(Sizes<2> height, Sizes<2> width) : along{height, width} {}

  constexpr const Sizes<2>& operator[](std::size_t axis) const { return along[axis]; }
  constexpr Sizes<2>& operator[](std::size_t axis) { return along[axis]; }
  bool operator==(const Margins&) const = default;
};

/// From `low` to `high`; one number f means from -f to f. In YAML and Keras' files a number or a list of two.
struct Range {
  float low = 0, high = 0;

  constexpr Range() = default;
  constexpr Range(float size) : Range(-size, size) {}  // NOLINT: written as a number
  constexpr Range(float one, float other) : low(std::min(one, other)), high(std::max(one, other)) {}
  bool operator==(const Range&) const = default;
};

}  // namespace lockstep
