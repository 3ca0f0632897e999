#include "cluster/mpi_call.h"

#include <mpi.h>
#if defined(OPEN_MPI)
#include <mpi-ext.h>
#endif

#include <chrono>
#include <thread>

namespace lockstep {
namespace {

/// Whether MPI knows that a rank is gone. Open MPI 5 does (mpi_ft_enable); in Open MPI 4 such a call does not return.
bool lost_a_rank() {
  int count = 0;
#ifdef OMPI_HAVE_MPI_EXT_FTMPI
  MPI_Group lost = MPI_GROUP_NULL;
  if (MPIX_Comm_get_failed(MPI_COMM_WORLD, &lost) != MPI_SUCCESS) return false;
  MPI_Group_size(lost, &count);
  MPI_Group_free(&lost);
#endif
  return count > 0;
}

}  // namespace

void mpi(int status, const char* call) {
  if (status == MPI_SUCCESS) return;
  constexpr std::chrono::minutes kDiagnosis{10};
  if (lost_a_rank()) std::this_thread::sleep_for(kDiagnosis);  // the watchdog or the launcher ends this process and names the rank
  char text[MPI_MAX_ERROR_STRING] = "";
  int length = 0;
  MPI_Error_string(status, text, &length);
  throw Error(std::string(call) + " failed: " + std::string(text, static_cast<std::size_t>(length)));
}

}  // namespace lockstep
