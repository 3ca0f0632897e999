#pragma once
#include <cstdint>
#include <functional>

#include "cluster/world.h"

namespace lockstep {

/// How far rank 0's monotonic clock is ahead of this rank's.
struct ClockOffset {
  std::int64_t nanoseconds = 0;  ///< to add to this rank's clock
  std::int64_t error = 0;        ///< at most: half the round trip that it was measured by
};

/// Of Trace::now(): measured by messages to and fro between rank 0 and the first rank of every other host, of which the fastest counts
/// (Cristian 1989); the ranks of a host share its clock. Collective.
ClockOffset clock_offset(const World& world);

/// The measurement itself, for the ranks that say so (never rank 0), between clocks that count nanoseconds. Collective.
ClockOffset measured_clock_offset(const World& world, bool measures, const std::function<std::int64_t()>& clock);

}  // namespace lockstep
