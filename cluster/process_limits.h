#pragma once
#include <exception>
#include <string>

namespace lockstep {

/// The memory that this process can still get, and what sets the limit.
struct MemoryRoom {
  double bytes = 0;    ///< infinite where nothing is known
  std::string limit;   ///< "the host has 3.2 GiB available", "ulimit -v allows 2.0 GiB of address space", "cgroup /sys/fs/cgroup/job allows 1.0 GiB"
  std::string option;  ///< what raises it: "ulimit -v unlimited"
};
/// The smallest of: what the host has available, memory and swap; what the limits of the cgroup and its parents leave; ulimit -v and -d. Takes
/// about 0.1 ms.
MemoryRoom memory_room();

/// "cannot get memory: ulimit -v allows 1.0 GiB of address space, of which 0.2 GiB are left; ulimit -v unlimited": for an allocation that failed.
std::string out_of_memory_text();
/// "cannot start a thread: ...", with the limit that is reached: the cgroup's pids.max, ulimit -v or ulimit -u.
std::string out_of_threads_text();

/// The error's text; of std::bad_alloc and of threads that cannot be started the texts above.
std::string error_text(const std::exception& error);

}  // namespace lockstep
