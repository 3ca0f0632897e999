#include "cluster/host/process_limits.h"

#include <fmt/format.h>
#include <malloc.h>
#include <mpi.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <limits>
#include <mutex>
#include <new>
#include <optional>
#include <system_error>
#include <thread>
#include <vector>

#include "cluster/host/cgroup.h"
#include "cluster/host/process_usage.h"
#include "cluster/run.h"
#include "cluster/world.h"

namespace lockstep {
namespace {

constexpr double kGiB = 1 << 30;

std::string gib(double bytes) {
  return fmt::format("{:.1f} {}", bytes < kGiB ? bytes / (1 << 20) : bytes / kGiB, bytes < kGiB ? "MiB" : "GiB");
}

double bytes_of(const char* file, const std::string& name) { return static_cast<double>(proc_bytes(file, name)); }

std::optional<double> soft_limit(__rlimit_resource_t resource) {
  rlimit value{};
  if (getrlimit(resource, &value) != 0 || value.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<double>(value.rlim_cur);
}

/// Keeps the smaller one. `most`: the limit, "cgroup /job allows 1.0 GiB".
void limit(MemoryRoom& room, double bytes, const std::string& most, const std::string& option) {
  const double left = std::max(bytes, 0.0);
  if (bytes < room.bytes) room = {left, most + ", of which " + gib(left) + " are left", option};
}

void limit_by_host(MemoryRoom& room) {
  const double available = bytes_of("/proc/meminfo", "MemAvailable"), all = available + bytes_of("/proc/meminfo", "SwapFree");
  if (available <= 0 || all >= room.bytes) return;
  room = {all, "the host has " + gib(all) + " available", "end other programs, or use a host with more memory"};
}

void limit_by_cgroups(MemoryRoom& room) {
  for (const std::filesystem::path& folder : cgroup_folders("memory")) {
    const bool unified = exists(folder / "memory.current");
    const std::optional<double> most = cgroup_number(folder / (unified ? "memory.max" : "memory.limit_in_bytes"));
    const std::optional<double> used = cgroup_number(folder / (unified ? "memory.current" : "memory.usage_in_bytes"));
    if (!most || !used) continue;
    const auto pages = [&](const std::string& kind) {
      return cgroup_value(folder / "memory.stat", (unified ? "" : "total_") + kind).value_or(0);
    };
    const double cache = pages("active_file") + pages("inactive_file");  // the kernel takes these back first
    limit(room, *most - *used + cache, "cgroup " + folder.string() + " allows " + gib(*most),
          "a job with more memory: sbatch --mem, docker run --memory, or memory.max of that cgroup");
  }
}

void limit_by_process(MemoryRoom& room) {
  if (const auto most = soft_limit(RLIMIT_AS)) {
    limit(room, *most - bytes_of("/proc/self/status", "VmSize"), "ulimit -v allows " + gib(*most) + " of address space",
          "ulimit -v unlimited");
  }
  if (const auto most = soft_limit(RLIMIT_DATA)) {
    limit(room, *most - bytes_of("/proc/self/status", "VmData"), "ulimit -d allows " + gib(*most) + " of data", "ulimit -d unlimited");
  }
}

}  // namespace

MemoryRoom host_memory_room() {
  MemoryRoom room{std::numeric_limits<double>::infinity(), "", ""};
  limit_by_host(room);
  limit_by_cgroups(room);
  return room;
}

MemoryRoom process_memory_room() {
  MemoryRoom room{std::numeric_limits<double>::infinity(), "", ""};
  limit_by_process(room);
  return room;
}

MemoryRoom memory_room() {
  const MemoryRoom host = host_memory_room(), process = process_memory_room();
  return process.bytes < host.bytes ? process : host;
}

namespace {

/// "cannot get memory: ulimit -v allows 1.0 GiB of address space, of which 0.2 GiB are left; ulimit -v unlimited": for an allocation that
/// failed.
std::string out_of_memory_text() {
  const MemoryRoom room = memory_room();
  if (room.limit.empty()) return "cannot get memory";
  return "cannot get memory: " + room.limit + "; " + room.option + ", a smaller batch or model, or fewer threads (--threads)";
}

std::string thread_limits() {
  std::vector<std::string> limits;  // those that may be the cause
  for (const std::filesystem::path& folder : cgroup_folders("pids")) {
    const std::optional<double> most = cgroup_number(folder / "pids.max"), used = cgroup_number(folder / "pids.current");
    if (!most || !used) continue;
    limits.push_back(fmt::format("cgroup {} allows {:.0f} processes and threads (pids.max; docker run --pids-limit), {:.0f} are in use",
                                 folder.string(), *most, *used));
  }
  if (const auto most = soft_limit(RLIMIT_AS)) {
    limits.push_back("ulimit -v allows " + gib(*most) + " of address space, also for the stacks of threads");
  }
  if (const auto most = soft_limit(RLIMIT_NPROC); most && geteuid() != 0) {  // root is exempt
    limits.push_back(fmt::format("ulimit -u allows this user {:.0f} processes and threads", *most));
  }
  if (limits.empty()) limits.emplace_back("the host gives no more (kernel.threads-max, kernel.pid_max)");
  return fmt::format("{}; raise {}, or start fewer threads: --threads 1, --set coordinator.enabled=false", fmt::join(limits, "; "),
                     limits.size() == 1 ? "that limit" : "the one that is reached");
}

/// Open files that this process may have (ulimit -n); infinity: any number.
double open_files_allowed() { return soft_limit(RLIMIT_NOFILE).value_or(std::numeric_limits<double>::infinity()); }

/// A limit of open files that is enough: advice.
std::string open_files_option(double enough) { return fmt::format("ulimit -n {:.0f}", std::max(4096.0, enough)); }

/// "; ulimit -f allows files of 1.0 MiB ..." where the text tells of such an error.
std::string limit_hint(const std::string& text) {
  if (text.find("ulimit") != std::string::npos) return "";
  const auto says = [&](int error) { return text.find(std::strerror(error)) != std::string::npos; };
  if (const auto most = soft_limit(RLIMIT_FSIZE); most && says(EFBIG)) {
    return "; ulimit -f allows files of " + gib(*most) + ": ulimit -f unlimited";
  }
  if (says(EMFILE)) {
    return fmt::format("; ulimit -n allows {:.0f} open files: {}", open_files_allowed(), open_files_option(2 * open_files_allowed()));
  }
  return "";
}

/// Whether Open MPI may keep what the ranks of a host share in files of /dev/shm: not told otherwise.
bool mpi_shares_files() {
  const char* const transports = std::getenv("OMPI_MCA_btl");
  const std::string text = transports == nullptr ? "vader" : transports;
  const bool named = text.find("vader") != std::string::npos || text.find("sm") != std::string::npos;
  return named != text.starts_with('^') && std::getenv("OMPI_MCA_btl_vader_backing_directory") == nullptr &&
         std::getenv("OMPI_MCA_btl_sm_backing_directory") == nullptr;
}

}  // namespace

std::string error_text(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return out_of_memory_text();
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  const bool filesystem = dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr;
  if (system != nullptr && !filesystem && system->code() == std::errc::resource_unavailable_try_again) {
    return "cannot start a thread: " + thread_limits();
  }
  return error.what() + limit_hint(error.what());
}

void check_threads(int count) {
  std::mutex mutex;
  std::unique_lock held(mutex);
  std::vector<std::thread> threads;
  const auto end = [&] {
    held.unlock();
    for (std::thread& thread : threads) thread.join();
  };
  try {
    while (static_cast<int>(threads.size()) < count) threads.emplace_back([&mutex] { const std::lock_guard all_are_there(mutex); });
  } catch (const std::system_error&) {
    const std::string limits = thread_limits();  // while the threads are there
    end();
    throw Error(fmt::format("only {} of the {} threads that are needed can be started: {}", threads.size(), count, limits));
  }
  end();
}

void raise_open_files() noexcept {
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0 || limit.rlim_cur == limit.rlim_max) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

void check_open_files(int needed) {
  if (open_files_allowed() >= needed) return;
  throw Error(fmt::format("ulimit -n allows {:.0f} open files, at least {} are needed; {}", open_files_allowed(), needed,
                          open_files_option(2 * needed)));
}

double thread_stack() {
  constexpr double kUsual = 8.0 * (1 << 20), kOfNoLimit = 2.0 * (1 << 20);  // glibc's, where ulimit -s is unlimited
  return std::min(kUsual, soft_limit(RLIMIT_STACK).value_or(kOfNoLimit));
}

void check_address_space(double bytes, double data, const std::string& what) {
  const auto check = [&](const std::optional<double>& most, const char* taken, double needed, const char* limit, const char* of,
                         const char* option) {
    if (!most) return;
    const double left = std::max(0.0, *most - bytes_of("/proc/self/status", taken));
    if (left >= needed) return;
    throw Error(fmt::format("{} allows {} of {}, of which {} are left; {} needs at least {}; {}", limit, gib(*most), of, gib(left), what,
                            gib(needed), option));
  };
  check(soft_limit(RLIMIT_AS), "VmSize", bytes, "ulimit -v", "address space", "ulimit -v unlimited");
  check(soft_limit(RLIMIT_DATA), "VmData", data, "ulimit -d", "data", "ulimit -d unlimited");
}

// Each number is less than what a job was seen to fail with: what only may be too little is left to MPI. Where its segments do not fit in
// /dev/shm it says so and does without them.
void check_before_mpi() {
  constexpr int kThreads = 2, kFiles = 21;            // and a file for each rank of this host
  constexpr double kAddressSpace = 48.0 * (1 << 20);  // its libraries and buffers
  try {
    const char* const ranks = std::getenv("OMPI_COMM_WORLD_LOCAL_SIZE");
    const int local = std::max(1, ranks == nullptr ? 1 : std::atoi(ranks));
    if (local > 1) check_open_files(kFiles + local);
    check_threads(kThreads);
    check_address_space(kAddressSpace, 0, "MPI");
    if (const auto most = soft_limit(RLIMIT_FSIZE); local > 1 && most && *most < mpi_shared_file() && mpi_shares_files()) {
      throw Error("ulimit -f allows files of " + gib(*most) + ", MPI needs one of about " + gib(mpi_shared_file()) +
                  " in /dev/shm; ulimit -f unlimited");
    }
  } catch (const Error&) {
    leave_it_to_rank_0();
    throw;
  }
}

double mpi_shared_file() { return (OMPI_MAJOR_VERSION >= 5 ? 16.0 : 4.0) * (1 << 20); }

double shared_memory_free() {
  struct statvfs shm {};
  return statvfs("/dev/shm", &shm) == 0 ? static_cast<double>(shm.f_bavail) * static_cast<double>(shm.f_frsize) : -1;
}

double mpi_shared_memory_to_come() {
  constexpr double kBlock = 512;  // of st_blocks, whatever the file system's own
  double bytes = 0;
  std::error_code ignored;
  for (const auto& file : std::filesystem::directory_iterator("/dev/shm", ignored)) {
    const std::string name = file.path().filename().string();
    if (!name.starts_with("vader_segment.") && !name.starts_with("sm_segment.")) continue;
    struct stat status {};
    if (stat(file.path().c_str(), &status) != 0) continue;
    bytes += std::max(0.0, static_cast<double>(status.st_size) - kBlock * static_cast<double>(status.st_blocks));
  }
  return bytes;
}

void check_shared_memory(double bytes, double file, const std::string& what, const std::string& host) {
  const double free = shared_memory_free();
  if (free < 0) throw Error("there is no /dev/shm on " + host + ", where its ranks share memory; mount -t tmpfs tmpfs /dev/shm");
  if (const double mpi = mpi_shared_memory_to_come(); free < bytes + mpi) {
    throw Error("/dev/shm of " + host + " has " + gib(free) + " free" + (mpi > 0 ? ", of which MPI may take " + gib(mpi) : "") + "; " +
                what + " needs " + gib(bytes) + " of it; " + shared_memory_option(std::max(2 * (bytes + mpi), 64.0 * (1 << 20))));
  }
  if (const auto most = soft_limit(RLIMIT_FSIZE); most && *most < file) {
    throw Error("ulimit -f allows files of " + gib(*most) + ", " + what + " needs one of " + gib(file) +
                " in /dev/shm; ulimit -f unlimited");
  }
}

std::string shared_memory_option(double bytes) {
  return fmt::format("mount -o remount,size={0:.0f}M /dev/shm; containers: docker run --shm-size={0:.0f}m, or --ipc=host",
                     bytes / (1 << 20));
}

void save_address_space() noexcept {
  constexpr int kArenas = 4;  // fewer threads train, or serve, at the same time under such a limit
  if (soft_limit(RLIMIT_AS) && std::getenv("MALLOC_ARENA_MAX") == nullptr) mallopt(M_ARENA_MAX, kArenas);
}

void survive_file_size_limit() noexcept { std::signal(SIGXFSZ, SIG_IGN); }

}  // namespace lockstep
