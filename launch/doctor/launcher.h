#pragma once

namespace lockstep {

/// Throws an Error (kUsage) if a launcher started several processes that MPI did not or will not join; it names the launcher and the
/// remedy. Call it before MPI_Init.
void check_launcher_environment();

}  // namespace lockstep
