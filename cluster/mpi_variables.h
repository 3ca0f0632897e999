#pragma once
#include <optional>
#include <string>

namespace lockstep {

/// The value that MPI works with for one of its settings (MPI_T's control variables: "btl_tcp_if_include", "mpi_yield_when_idle"), wherever it was set:
/// on the command line, in the environment, in a file. Nothing if MPI has no such setting, or is not initialised and no MpiSettings is there.
std::optional<std::string> mpi_variable(const std::string& name);

/// Makes MPI's settings known before MPI_Init, to be read and changed. Must live until MPI_Init has returned: what was changed would be lost, and MPI_Init
/// would read everything again.
class MpiSettings {
 public:
  MpiSettings();
  ~MpiSettings();
  MpiSettings(const MpiSettings&) = delete;
  MpiSettings& operator=(const MpiSettings&) = delete;

  /// Of a text. Returns whether MPI has taken it.
  bool set(const std::string& name, const std::string& value) const;
};

}  // namespace lockstep
