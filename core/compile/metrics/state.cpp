#include "core/compile/metrics/state.h"

#include <cmath>

namespace lockstep {

void ExactCounts::add(std::int64_t i, double amount) {
  constexpr double kUnit = 0x1p-24, kRest = 0x1p-50;
  const double whole = std::floor(amount * (1 / kUnit)) * kUnit;
  const auto at = static_cast<std::size_t>(i);
  doubles_[at] += whole;
  doubles_[doubles_.size() / 2 + at] += std::nearbyint((amount - whole) * (1 / kRest)) * kRest;
}

double ExactCounts::count(std::span<const double> doubles, std::int64_t i) {
  const auto at = static_cast<std::size_t>(i);
  return doubles[at] + doubles[doubles.size() / 2 + at];
}

}  // namespace lockstep
