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
/// hosts the slowest host. A rank that is alone on its host measures two of the cores that it may use. Nothing where a host has one usable
/// core or more ranks than cores. Collective; takes some milliseconds.
std::optional<CoreRoundTrip> core_round_trip(const World& world);

/// Whether the ranks of a host get at what another has just written fast enough to share it in place; else a bulk copy is better. Also where ranks take turns
/// on their cores: copies would only add to their work. Collective; all ranks get the same answer.
bool ranks_are_near(const World& world);

}  // namespace lockstep
