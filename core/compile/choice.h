#pragma once
#include <concepts>
#include <string_view>
#include <type_traits>
#include <utility>

#include "core/math/names.h"

namespace lockstep {

/// A setting that is one of a few words: an enum with choices(E{}), the (word, value) pairs under Keras' words.
template <class E>
concept Choice = std::is_enum_v<E> && requires(E value) {
  { choices(value).front().first } -> std::convertible_to<std::string_view>;
  { choices(value).front().second } -> std::convertible_to<E>;
};

template <Choice E>
constexpr std::string_view word_of(E value) {
  for (const auto& [word, one] : choices(value)) {
    if (one == value) return word;
  }
  return "";
}

/// An unknown word is an Error (kUsage) that lists the known ones.
template <Choice E>
E choice_of(std::string_view word) {
  for (const auto& [known, value] : choices(E{})) {
    if (known == word) return value;
  }
  throw unknown_name("word", word, choices(E{}));
}

}  // namespace lockstep
