#include "cluster/process_limits.h"

#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <new>
#include <optional>
#include <system_error>

#include "cluster/cgroup.h"

namespace lockstep {
namespace {

constexpr double kGiB = 1 << 30;

std::string gib(double bytes) {
  return fmt::format("{:.1f} {}", bytes < kGiB ? bytes / (1 << 20) : bytes / kGiB, bytes < kGiB ? "MiB" : "GiB");
}

/// The kilobytes behind "NAME:" in a file of /proc, in bytes; 0 if there are none.
double kilobytes(const char* file, const std::string& name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::strtod(line.c_str() + name.size() + 1, nullptr) * 1024;
  }
  return 0;
}

std::optional<double> soft_limit(__rlimit_resource_t resource) {
  rlimit value{};
  if (getrlimit(resource, &value) != 0 || value.rlim_cur == RLIM_INFINITY) return std::nullopt;
  return static_cast<double>(value.rlim_cur);
}

/// Keeps the smaller one.
void limit(MemoryRoom& room, double bytes, const std::string& what, const std::string& option) {
  if (bytes < room.bytes) room = {std::max(bytes, 0.0), what, option};
}

void limit_by_host(MemoryRoom& room) {
  const double available = kilobytes("/proc/meminfo", "MemAvailable"), swap = kilobytes("/proc/meminfo", "SwapFree");
  if (available > 0) limit(room, available + swap, "the host has " + gib(available + swap) + " available", "end other programs, or use a host with more memory");
}

void limit_by_cgroups(MemoryRoom& room) {
  for (const std::filesystem::path& folder : cgroup_folders("memory")) {
    const bool unified = exists(folder / "memory.current");
    const std::optional<double> most = cgroup_number(folder / (unified ? "memory.max" : "memory.limit_in_bytes"));
    const std::optional<double> used = cgroup_number(folder / (unified ? "memory.current" : "memory.usage_in_bytes"));
    if (!most || !used) continue;
    const auto pages = [&](const std::string& kind) { return cgroup_value(folder / "memory.stat", (unified ? "" : "total_") + kind).value_or(0); };
    const double cache = pages("active_file") + pages("inactive_file");  // the kernel takes these back first
    limit(room, *most - *used + cache, "cgroup " + folder.string() + " allows " + gib(*most),
          "a job with more memory: sbatch --mem, docker run --memory, or memory.max of that cgroup");
  }
}

void limit_by_process(MemoryRoom& room) {
  if (const auto most = soft_limit(RLIMIT_AS)) {
    limit(room, *most - kilobytes("/proc/self/status", "VmSize"), "ulimit -v allows " + gib(*most) + " of address space", "ulimit -v unlimited");
  }
  if (const auto most = soft_limit(RLIMIT_DATA)) {
    limit(room, *most - kilobytes("/proc/self/status", "VmData"), "ulimit -d allows " + gib(*most) + " of data", "ulimit -d unlimited");
  }
}

}  // namespace

MemoryRoom memory_room() {
  MemoryRoom room{std::numeric_limits<double>::infinity(), "", ""};
  limit_by_host(room);
  limit_by_cgroups(room);
  limit_by_process(room);
  return room;
}

std::string out_of_memory_text() {
  const MemoryRoom room = memory_room();
  if (room.limit.empty()) return "cannot get memory";
  return "cannot get memory: " + room.limit + ", of which " + gib(room.bytes) + " are left; " + room.option + ", a smaller batch or model, or fewer threads (--threads)";
}

std::string out_of_threads_text() {
  const std::string fewer = ", or fewer threads: --threads 1, --set coordinator.enabled=false";
  for (const std::filesystem::path& folder : cgroup_folders("pids")) {
    const std::optional<double> most = cgroup_number(folder / "pids.max"), used = cgroup_number(folder / "pids.current");
    if (!most || !used || *used + 8 < *most) continue;
    return fmt::format("cannot start a thread: cgroup {} allows {:.0f} processes and threads (pids.max), {:.0f} are in use; raise pids.max (docker run --pids-limit){}",
                       folder.string(), *most, *used, fewer);
  }
  const MemoryRoom room = memory_room();
  if (room.bytes < 64 * (1 << 20)) return "cannot start a thread, for its stack: " + room.limit + "; " + room.option + fewer;
  const std::optional<double> most = soft_limit(RLIMIT_NPROC);
  if (!most) return "cannot start a thread: the kernel gives no more (kernel.threads-max, kernel.pid_max)" + fewer;
  return fmt::format("cannot start a thread: ulimit -u allows this user {:.0f} processes and threads; a higher ulimit -u{}", *most, fewer);
}

std::string error_text(const std::exception& error) {
  if (dynamic_cast<const std::bad_alloc*>(&error) != nullptr) return out_of_memory_text();
  const auto* system = dynamic_cast<const std::system_error*>(&error);
  const bool filesystem = dynamic_cast<const std::filesystem::filesystem_error*>(&error) != nullptr;
  if (system != nullptr && !filesystem && system->code() == std::errc::resource_unavailable_try_again) return out_of_threads_text();
  return error.what();
}

}  // namespace lockstep
