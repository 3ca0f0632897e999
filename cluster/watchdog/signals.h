#pragma once
#include <memory>

namespace lockstep {

/// What this process does with signals that ask it to end: SIGUSR1 and SIGTERM (batch systems, mpirun), SIGINT (Ctrl-C), SIGHUP (the
/// terminal or session has ended) and SIGXCPU (limit of CPU time). One that was ignored when the process started stays ignored, as nohup
/// wants. The first one is remembered, for the training loop to ask all ranks for a checkpoint and a stop. Of SIGUSR1, SIGTERM and SIGINT
/// the second one, at least 0.2 s after the first (launchers deliver some twice), ends the process at once with exit code 128 + its number.
/// SIGHUP and SIGXCPU do not count in this: the end of a session may bring several signals, and SIGXCPU comes again every second.
///
/// One object at a time in a process, made before all other threads: they inherit that these signals are blocked.
class StopSignals {
 public:
  /// What a second signal does.
  enum class Second { ends, counts };
  explicit StopSignals(Second second = Second::ends);
  /// Puts the former signal mask back, unless settle() was called.
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;

  /// Number of the first signal that has come; 0: none. One relaxed load.
  int received() const noexcept;
  /// How many SIGUSR1, SIGTERM and SIGINT have come.
  int count() const noexcept;
  /// Whether SIGCONT has come: what mpirun sends a second before the SIGTERM by which it ends a job.
  bool was_continued() const noexcept;
  /// The work is done and the exit code settled: signals are ignored until the process has ended. (mpirun sends SIGTERM to ranks in
  /// MPI_Finalize when another one has left with a code that is not 0.)
  void settle() noexcept;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "SIGUSR1", "SIGTERM", ...; "another signal" for one that is not of this kind. Async-signal-safe.
const char* signal_name(int number) noexcept;

}  // namespace lockstep
