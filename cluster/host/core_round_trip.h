#pragma once
#include <optional>

#include "cluster/world.h"

namespace lockstep {

/// A cache line's way to another core and back.
struct CoreRoundTrip {
  double nanoseconds = 0;
  /// Whether the cores are under one last-level cache: 100 to 150 ns, against 300 to 600 otherwise. Measured, since no table tells where a
  /// virtual machine's cores are.
  bool near() const { return nanoseconds < 250; }
};

/// Between the cores that this host's ranks run on just now: its first rank and each of the others, the slowest pair; in a job of several
/// hosts the slowest host. The only rank of a job measures two of the cores that it may use. Nothing where a host's ranks have too few
/// cores for all to run at once, or other programs keep them from it, or nobody has a neighbour. Collective; takes 2 ms for each rank of a
/// host.
std::optional<CoreRoundTrip> core_round_trip(const World& world);

/// Whether ranks of a host are known to be on cores under different caches: then what another rank has just written comes slowly, line by
/// line, and is better copied in bulk than used where it is. Collective; all ranks get the same answer.
bool ranks_are_far(const World& world);

}  // namespace lockstep
