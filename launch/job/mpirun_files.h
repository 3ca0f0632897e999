#pragma once
#include <sys/types.h>

namespace lockstep {

/// Removes what a killed mpirun has left on this host: Open MPI's session folder with PMIx' files, and the shared memory of its ranks.
/// `pid`: of an mpirun that this process has started and that has ended. What other mpiruns have left stays.
void remove_mpirun_files(pid_t pid);

}  // namespace lockstep
