#pragma once
#include <cstdio>

namespace lockstep {

/// Keeps this process from blocking on whoever reads its output, while it lives. What is printed to stdout and stderr is queued, and one
/// thread for each of them writes it.
///
/// If nobody reads stdout (Ctrl-S, a full pipe), the oldest lines are dropped, and a line says how many. A message on stderr appears after
/// what was printed to stdout before it, and is written when the call returns. If nobody reads stderr, the call gives up after 2 s. A
/// closed or failing descriptor is no error. SIGPIPE is ignored from here on.
///
/// For commands whose output reports progress. Those that print results (evaluate, predict, bench, doctor) do without it and wait for their
/// reader, because no result may be dropped.
///
/// One object at a time in a process. It covers C's streams, not std::cout or writes to the descriptors.
class Output {
 public:
  Output();
  /// Waits until all is written, but at most 5 s for a reader who takes nothing. The streams are as before afterwards.
  ~Output();
  Output(const Output &) = delete;
  Output &operator=(const Output &) = delete;

 private:
  std::FILE *const former_out_, *const former_errors_;
};

/// Opens /dev/null in place of a closed stdin, stdout or stderr. Otherwise the next file that is opened would take its number, and what is
/// printed would be written into that file. Printing still fails, as on a closed descriptor. Call it before anything is opened.
void occupy_standard_descriptors() noexcept;

}  // namespace lockstep
