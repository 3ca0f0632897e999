#pragma once
#include <array>
#include <string_view>
#include <utility>

#include "core/compile/choice.h"

namespace lockstep {

/// What surrounds the input of a window that slides over it. valid: nothing; same: as much as makes ceil(in / stride) outputs, an odd
/// element at the end; causal: all before the beginning, so that an output sees no later input.
enum class Padding { valid, same, causal };
constexpr std::array<std::pair<std::string_view, Padding>, 3> choices(Padding) {
  return {{{"valid", Padding::valid}, {"same", Padding::same}, {"causal", Padding::causal}}};
}

}  // namespace lockstep
