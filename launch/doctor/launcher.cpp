#include "launch/doctor/launcher.h"

#include <cstdlib>

#include "cluster/error.h"

namespace lockstep {

void check_launcher_environment() {
  const auto has = [](const char* name) { return std::getenv(name) != nullptr; };
  if (!has("PMI_RANK") || has("PMIX_RANK") || has("OMPI_COMM_WORLD_RANK")) return;
  throw Error(has("SLURM_STEP_ID")
                  ? "srun has started this process with PMI-2 or PMI-1 (PMI_RANK is set), which Debian's Open MPI does not understand"
                  : "another MPI's launcher has started this process (PMI_RANK is set), such as the mpiexec of MPICH",
              kUsage);
}

}  // namespace lockstep
