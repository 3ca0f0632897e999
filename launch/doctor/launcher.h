#pragma once

namespace lockstep {

/// The process that the launcher started as one of several, which MPI did not join, or will not: an Error (kUsage) that says which and the
/// way out. Before MPI is initialised.
void check_launcher_environment();

}  // namespace lockstep
