#pragma once
#include <filesystem>
#include <optional>
#include <string>

#include "cluster/status.h"

namespace lockstep {

/// What its files tell of a run that has ended or was killed.
struct EndedRun {
  Status status;        ///< `phase` is final; without what nobody knows any more
  std::string go_on;    ///< how a failed run goes on, or that it cannot; empty: it has finished
};

/// Nothing while a coordinator may answer for the run in this directory, and for a target that is no directory.
std::optional<EndedRun> ended_run(const std::filesystem::path& run_dir);

/// Prints the table, or the JSON of `status --json`. Returns the exit code: 0 for a run that has finished or was stopped, 1 for one that has failed or
/// was killed.
int print_ended(const EndedRun& run, bool json);

}  // namespace lockstep
