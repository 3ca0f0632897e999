#pragma once
#include <map>
#include <string>

namespace lockstep {

/// Library -> version, of what this folder uses: MPI and gRPC.
std::map<std::string, std::string> cluster_versions();

/// The MPI whose headers this was compiled with, in the form of cluster_versions()["MPI"], which is the one that runs: "Open MPI v4.1.4".
std::string mpi_built_with();

}  // namespace lockstep
