#pragma once
#include <sys/types.h>

namespace lockstep {

/// Removes what an mpirun that was killed has left on this host: Open MPI's session folder with PMIx' files, and the shared memory of its ranks. `pid`: of the
/// mpirun, which this process has started and which has ended. What other mpiruns have left stays.
void clear_left_overs(pid_t pid);

}  // namespace lockstep
