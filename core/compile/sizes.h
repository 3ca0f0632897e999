#pragma once
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

}  // namespace lockstep
