#include "core/math/decimal.h"

#include <charconv>
#include <iterator>

namespace lockstep {

float one_minus(float x) {
  char text[32];
  const auto end = std::to_chars(std::begin(text), std::end(text), x).ptr;
  double written = 0;
  std::from_chars(text, end, written);
  return static_cast<float>(1 - written);
}

}  // namespace lockstep
