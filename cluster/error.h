#pragma once
#include <stdexcept>
#include <string>

namespace lockstep {

/// Exit codes of every lockstep command and of programs that use lockstep::run.
enum ExitCode : int {
  kOk = 0,
  kFailed = 1,    ///< an error while running: the message says rank, host, cause
  kUsage = 2,     ///< wrong command line or configuration: nothing was trained
  kRunAgain = 75  ///< interrupted by a signal after a checkpoint: run it again with --resume (EX_TEMPFAIL)
};

/// An error a user can act on. The message says what was expected, what was found and what to do, and names file, data set, layer
/// and key as they apply; rank and host are added by whoever reports it.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, ExitCode code = kFailed) : std::runtime_error(message), exit_code_(code) {}
  ExitCode exit_code() const { return exit_code_; }

 private:
  ExitCode exit_code_;
};

}  // namespace lockstep
