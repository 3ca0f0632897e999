#pragma once
#include <map>
#include <string>

namespace lockstep {

/// Library -> version, all that a run's numbers may depend on: lockstep, oneDNN and its instruction set ("ISA"), MPI, gRPC, HDF5.
std::map<std::string, std::string> all_versions();

}  // namespace lockstep
