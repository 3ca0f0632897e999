#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "cluster/status/status.h"

namespace lockstep {

/// The state of a run that has ended or was killed, as its files show it.
struct EndedRun {
  Status status;      ///< `phase` is final; fields that no file tells are empty
  std::string go_on;  ///< how to resume a failed run, or that it cannot be; empty: it has finished
};

/// Reads them from a run directory. Empty while a coordinator may still answer for the run, while a run without one goes on or cannot be
/// seen from this host, and if this is no run directory.
std::optional<EndedRun> ended_run(const std::filesystem::path& run_dir);

/// Prints the table, or the JSON of `status --json`. Returns the exit code: 0 for a run that has finished or was stopped, 1 for one that
/// has failed or was killed.
int print_ended(const EndedRun& run, bool json);

}  // namespace lockstep
