#pragma once
#include <sys/types.h>

#include <array>
#include <atomic>
#include <optional>
#include <string>
#include <thread>
#include <vector>

namespace lockstep {

/// A command in a process group of its own, so that Ctrl-C at the terminal reaches it only as this program passes it on.
class ChildProcess {
 public:
  /// What becomes of its output. `relayed`: this program reads it at all times and prints it.
  enum class Output { discarded, relayed };
  /// A program that cannot be run says so and ends with kUsage. One whose output is relayed gets SIGUSR1 when this process dies.
  ChildProcess(const std::vector<std::string>& words, Output output);
  /// Kills it if it still runs. If it was killed, removes what it has left as an mpirun (remove_mpirun_files).
  ~ChildProcess();
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;

  /// Its exit code, 128 + N after signal N; empty while it runs. Does not wait.
  std::optional<int> exit_code();
  void signal(int number) const;

 private:
  void relay();
  void end_relay();

  pid_t pid_ = -1;
  std::array<int, 2> outputs_{-1, -1};  // our ends of its stdout and stderr
  std::atomic<bool> ended_{false};
  std::thread relay_;
  std::optional<int> code_;
  bool killed_ = false;
};

}  // namespace lockstep
