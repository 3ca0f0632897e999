#include "cluster/versions.h"

#include <grpcpp/grpcpp.h>
#include <mpi.h>

namespace lockstep {

std::map<std::string, std::string> cluster_versions() {
  char text[MPI_MAX_LIBRARY_VERSION_STRING] = "";
  int length = 0;
  MPI_Get_library_version(text, &length);
  std::string mpi(text, static_cast<std::size_t>(length));
  mpi = mpi.substr(0, mpi.find(','));  // "Open MPI v4.1.4, package: ..."
  return {{"MPI", mpi}, {"gRPC", grpc::Version()}};
}

std::string mpi_built_with() {
#ifdef OPEN_MPI
  return "Open MPI v" + std::to_string(OMPI_MAJOR_VERSION) + "." + std::to_string(OMPI_MINOR_VERSION) + "." +
         std::to_string(OMPI_RELEASE_VERSION);
#else
  return cluster_versions()["MPI"];  // others do not say it in their headers
#endif
}

}  // namespace lockstep
