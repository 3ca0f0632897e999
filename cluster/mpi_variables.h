#pragma once
#include <optional>
#include <string>

namespace lockstep {

/// The value that MPI works with for one of its settings (MPI_T's control variables: "btl_tcp_if_include", "mpi_yield_when_idle"), wherever
/// it was set: on the command line, in the environment, in a file. Nothing if MPI has no such setting, or is not initialised and no
/// MpiSettings is there.
std::optional<std::string> mpi_variable(const std::string& name);

/// Gives access to MPI's settings before MPI_Init. Must live until MPI_Init has returned: otherwise changes are lost, and MPI_Init reads
/// all settings again.
class MpiSettings {
 public:
  MpiSettings();
  ~MpiSettings();
  MpiSettings(const MpiSettings&) = delete;
  MpiSettings& operator=(const MpiSettings&) = delete;

  /// Changes a setting whose value is a text. Returns whether MPI has taken it.
  bool set(const std::string& name, const std::string& value) const;
};

}  // namespace lockstep
