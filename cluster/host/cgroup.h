#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

// The control groups of this process, of version 1 and 2. All take the folder in /proc from which they read, for tests.
namespace lockstep {

/// Folders of this process's group for a controller ("cpu", "memory", "pids") and of its parents, innermost first; empty where none can be
/// seen.
std::vector<std::filesystem::path> cgroup_folders(const std::string& controller, const std::filesystem::path& process = "/proc/self");

/// The number in a one-line file of a group; empty if the file is missing or states no limit ("max", or version 1's largest number).
std::optional<double> cgroup_number(const std::filesystem::path& file);
/// The number behind a key in a file of lines "key number", as cpu.stat and memory.stat are.
std::optional<double> cgroup_value(const std::filesystem::path& file, const std::string& key);

/// What a group may use of the host's cores.
struct CpuQuota {
  double cores = 0;              ///< worth of time
  std::filesystem::path folder;  ///< of the group that sets it
};
/// The smallest quota of the process's group and its parents; empty: there is none.
std::optional<CpuQuota> cpu_quota(const std::filesystem::path& process = "/proc/self");

/// How often a quota has stopped the processes of its group, since the group was made.
struct Throttling {
  std::int64_t periods = 0, throttled = 0;  ///< enforcement periods (usually 100 ms) in which the group ran, and those whose quota ran out
};
/// Of the group in `folder` (CpuQuota).
Throttling cpu_throttling(const std::filesystem::path& folder);

}  // namespace lockstep
