#pragma once
#include <optional>
#include <string>

namespace lockstep {

/// The value that MPI works with for one of its settings (MPI_T's control variables: "btl_tcp_if_include", "mpi_yield_when_idle"), wherever it was set:
/// on the command line, in the environment, in a file. Nothing if MPI has no such setting or is not initialised.
std::optional<std::string> mpi_variable(const std::string& name);

}  // namespace lockstep
