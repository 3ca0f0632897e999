#pragma once
#include <cstdint>

#include "io/run/table.h"

namespace lockstep {

/// The embedded regression table: 8 features whose scales differ by a factor of 5,000, a target that is not linear in them, noise. A pure
/// function of seed and rows, the same on every machine.
Table make_housing(std::int64_t rows, std::uint64_t seed);

}  // namespace lockstep
