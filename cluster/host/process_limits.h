#pragma once
#include <exception>
#include <string>

namespace lockstep {

/// The memory that this process can still get, and what sets the limit.
struct MemoryRoom {
  double bytes = 0;  ///< infinite where nothing is known
  /// "the host has 3.2 GiB available", "ulimit -v allows 2.0 GiB of address space, of which 0.3 GiB are left", "cgroup
  /// /sys/fs/cgroup/job allows 1.0 GiB, of which ..."
  std::string limit;
  std::string option;  ///< what raises it: "ulimit -v unlimited"
};
/// The least of what the host has available (memory and swap), what the cgroup and its parents leave, and what ulimit -v and -d leave.
/// Takes about 0.1 ms.
MemoryRoom memory_room();
/// Its parts: what the ranks of a host share; what ulimit -v and -d leave this process alone.
MemoryRoom host_memory_room();
MemoryRoom process_memory_room();

/// The message for an error. For std::bad_alloc, a thread that cannot be started, a file that is too large, and too many open files it
/// names the limit that was reached (memory, pids.max, ulimit -v, -u, -f or -n) and how to raise it.
std::string error_text(const std::exception& error);

/// An Error unless this process can start `count` more threads. Starts and ends them.
void check_threads(int count);
/// Raises the soft limit of open files to the hard one, for data of many files and a coordinator with many connections.
void raise_open_files() noexcept;
/// An Error if ulimit -n allows fewer open files.
void check_open_files(int needed);
/// Bytes that a thread's stack takes of ulimit -v and -d.
double thread_stack();
/// An Error if ulimit -v leaves less than `bytes`, or ulimit -d less than `data`, needed for `what`. What is only reserved is not data.
void check_address_space(double bytes, double data, const std::string& what);

/// For processes of a launcher: an Error if limits leave less than MPI_Init needs. Ranks other than 0 throw it five seconds later, so that
/// only one message appears.
void check_before_mpi();

/// Bytes of the file in /dev/shm that MPI makes for each rank: 4 MiB, of Open MPI 5 16 MiB.
double mpi_shared_file();
/// Bytes that are free in /dev/shm; negative: there is none.
double shared_memory_free();
/// Bytes that files of MPI in /dev/shm have been promised and may still take: it makes them without pages.
double mpi_shared_memory_to_come();
/// An Error if ranks of `host` cannot share `bytes` in /dev/shm for `what`: there is none, it has too little room beside what MPI may still
/// take, or ulimit -f is too small for one file of `file` bytes.
void check_shared_memory(double bytes, double file, const std::string& what, const std::string& host);
/// Advice: how to make room for `bytes` in /dev/shm.
std::string shared_memory_option(double bytes);

/// Where ulimit -v is set, allows malloc fewer arenas: each reserves 64 MiB of address space, and glibc makes up to eight a core. Call it
/// before threads start; MALLOC_ARENA_MAX in the environment wins.
void save_address_space() noexcept;

/// A write beyond ulimit -f then fails like one to a full disk (EFBIG), instead of killing the process (SIGXFSZ).
void survive_file_size_limit() noexcept;

}  // namespace lockstep
