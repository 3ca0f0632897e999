#pragma once
#include <cstdint>
#include <optional>
#include <string>

namespace lockstep {

/// State letter of a process of this host: R running, S sleeping, D waiting for a disk, T stopped, t traced, Z ended but not collected; X:
/// there is none.
/// '?' where /proc does not tell.
char process_state(std::int64_t pid);

/// Name of the program that a process runs ("mpirun", "orted"); "" if there is no such process.
std::string process_name(std::int64_t pid);

/// The TCP connection to an open port of this process from which its main thread is reading in a blocking call, as text: "10.0.0.5:4711,
/// which has connected to its port 1024". "": it reads from none. Call it from another thread.
std::string connection_waited_for();

/// How often the kernel has killed a process of this process' memory cgroup for want of memory: memory.events (v2) or memory.oom_control
/// (v1). Empty where neither can be read.
std::optional<std::int64_t> out_of_memory_kills();

/// A process held by a descriptor, so that no later process with its number is meant. Falls back to the number where the kernel has no
/// pidfd.
class ProcessHandle {
 public:
  explicit ProcessHandle(std::int64_t pid);
  ~ProcessHandle();
  ProcessHandle(ProcessHandle&& other) noexcept;
  ProcessHandle& operator=(ProcessHandle&&) = delete;

  std::int64_t pid() const { return pid_; }
  /// For poll: readable when the process has ended; -1: none.
  int descriptor() const { return descriptor_; }
  bool ended() const;
  /// Async-signal-safe.
  void signal(int number) const noexcept;

 private:
  std::int64_t pid_;
  int descriptor_;
};

}  // namespace lockstep
