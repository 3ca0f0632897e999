#pragma once
#include <map>
#include <string>

namespace lockstep {

/// Library -> version, of what this folder uses: MPI and gRPC.
std::map<std::string, std::string> cluster_versions();

}  // namespace lockstep
