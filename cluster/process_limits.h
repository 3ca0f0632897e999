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

/// The error's text; of std::bad_alloc and of threads that cannot be started the texts above. Where the text says that a file is too large or that too
/// many are open, the limit is named, too.
std::string error_text(const std::exception& error);

/// An Error unless this process can start `count` more threads, which is tried.
void check_threads(int count);
/// Open files that a rank of a job of so many needs, about: data, logs, the coordinator, a connection to each rank.
int open_files_needed(int ranks);
/// Open files that this process may have (ulimit -n); infinity: any number.
double open_files_allowed();
/// An Error if fewer files may be open than are needed.
void check_open_files(int ranks);
/// An Error if ulimit -v or -d leaves less than `bytes`, needed for `what`.
void check_address_space(double bytes, const std::string& what);

/// What MPI_Init needs, for processes of a launcher: an Error if limits leave too little. Ranks other than 0 are late by five seconds, so that one speaks.
void check_before_mpi();

/// Bytes that are free in /dev/shm; negative: there is none.
double shared_memory_free();
/// An Error if ranks that share `bytes` there for `what` cannot: no /dev/shm, too little room, or ulimit -f.
void check_shared_memory(double bytes, const std::string& what);
/// How to make room there for `bytes`.
std::string shared_memory_option(double bytes);

/// A write beyond ulimit -f then fails like one to a full disk (EFBIG), instead of killing the process (SIGXFSZ).
void survive_file_size_limit() noexcept;

}  // namespace lockstep
