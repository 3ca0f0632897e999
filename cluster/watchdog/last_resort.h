#pragma once
#include <chrono>
#include <vector>

#include "cluster/host/process_state.h"

namespace lockstep {

/// Makes a small process of its own that sees to it that a job on this host ends, should MPI_Abort not return: `grace` from now it sends
/// the launcher SIGTERM, a second later SIGKILL to the ranks and, another second later, to the launcher. It ends as soon as all of them
/// have. `launcher` may be null. Never waits.
void end_by_force(const std::vector<ProcessHandle>& ranks, const ProcessHandle* launcher, std::chrono::milliseconds grace) noexcept;

}  // namespace lockstep
