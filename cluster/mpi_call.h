#pragma once
#include <string>

#include "cluster/error.h"

namespace lockstep {

/// Throws an Error with MPI's own text when an MPI call failed: `mpi(MPI_Barrier(comm), "MPI_Barrier")`.
void mpi(int status, const char* call);

}  // namespace lockstep
