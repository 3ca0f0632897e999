#pragma once
#include <string>

#include "cluster/coordinator/client.h"
#include "launch/steer/ended_run.h"

namespace lockstep {

class Command;

/// RUN_DIR|HOST:PORT of a command that asks a coordinator, and what goes with it.
struct CoordinatorTarget {
  std::string target;
  std::string token_file;
  std::string certificate_file;
  bool insecure = false;

  /// Declares the options; this object must live as long as `command`.
  void declare(Command& command);
  /// The run as its directory tells it; nothing for an address, and while its coordinator may answer.
  std::optional<EndedRun> ended() const;
  /// Warnings go to stderr.
  CoordinatorClient connect() const;

 private:
  void check() const;
};

}  // namespace lockstep
