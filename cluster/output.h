#pragma once
#include <cstdio>

namespace lockstep {

/// While it lives, nothing waits long for whoever reads this process's output. What is printed to stdout and stderr is queued, and a thread
/// for each of them writes it. If stdout is not read (Ctrl-S, a full pipe), the oldest lines are dropped, and a line says how many. A
/// message on stderr comes after what was printed to stdout before it, and has left when the call returns; if stderr is not read, the call gives up
/// after 2 s. A closed or failing descriptor is no error, and SIGPIPE is ignored from here on.
///
/// One object at a time in a process. Holds for C's streams; not for std::cout, nor for what writes to the descriptors directly.
class Output {
 public:
  Output();
  /// Waits until all has left, but no longer than 5 s for a reader who takes nothing; then the streams are as they were before.
  ~Output();
  Output(const Output&) = delete;
  Output& operator=(const Output&) = delete;

 private:
  std::FILE *const former_out_, *const former_errors_;
};

/// Opens /dev/null in place of those of stdin, stdout and stderr that are closed: the next file that is opened would become one of them,
/// and what is printed would be written into it. Printing still fails, as on a closed descriptor. Before anything is opened.
void occupy_standard_descriptors() noexcept;

}  // namespace lockstep
