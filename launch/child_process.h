#pragma once
#include <sys/types.h>

#include <optional>
#include <string>
#include <vector>

namespace lockstep {

/// A command in a process group of its own, so that Ctrl-C at the terminal reaches it only as this program passes it on.
class ChildProcess {
 public:
  /// With `quiet` its output goes nowhere. A program that cannot be run says so and ends with kUsage.
  explicit ChildProcess(const std::vector<std::string>& words, bool quiet = false);
  /// Kills it if it still runs. One that was killed is an mpirun, whose left-overs are cleared.
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Its exit code, 128 + N after signal N; empty while it runs. Does not wait.
  std::optional<int> exit_code();
  void signal(int number) const;

 private:
  pid_t pid_ = -1;
  std::optional<int> code_;
  bool killed_ = false;
};

}  // namespace lockstep
