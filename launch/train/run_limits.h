#pragma once
#include "cluster/world.h"

// Limits of the process and its host that would stop a run: what lockstep doctor reports and lockstep train refuses to start with.
namespace lockstep {

/// An Error if this rank cannot open the files, start the threads or map the memory that a run needs. It names the limit and what raises
/// it.
void check_rank_limits(const World& world, int threads, bool coordinator);

}  // namespace lockstep
