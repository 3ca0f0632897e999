#include "cluster/host/cgroup.h"

#include <cstdlib>
#include <fstream>
#include <sstream>

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr double kNoLimit = 9e18;  // version 1 says 2^63 without the last page

bool lists(const std::string& names, const std::string& name) { return ("," + names + ",").find("," + name + ",") != std::string::npos; }

/// Path of the process's group within the hierarchy that has the controller; `unified`: of version 2.
std::optional<std::string> path_of_group(const fs::path& process, const std::string& controller, bool& unified) {
  std::ifstream file(process / "cgroup");
  std::optional<std::string> found;
  for (std::string line; std::getline(file, line);) {  // "0::/path" (v2), "4:memory:/path" (v1)
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool version1 = lists(controllers, controller);
    if (!version1 && (!controllers.empty() || found)) continue;
    found = line.substr(second + 1);
    unified = !version1;
    if (version1) break;  // a hybrid host: the controller is where its name is
  }
  return found;
}

struct Mount {
  fs::path root, point;
};

/// Where the hierarchy of a controller is mounted; proc(5), mountinfo.
std::optional<Mount> mount_of(const fs::path& process, const std::string& controller, bool unified) {
  std::ifstream file(process / "mountinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::string id, parent, device, type, source, options;
    Mount mount;
    std::istringstream(line.substr(dash + 3)) >> type >> source >> options;
    std::istringstream(line.substr(0, dash)) >> id >> parent >> device >> mount.root >> mount.point;
    if (unified ? type == "cgroup2" : type == "cgroup" && lists(options, controller)) return mount;
  }
  return std::nullopt;
}

std::optional<double> quota_of(const fs::path& folder) {
  std::string limit;
  double period = 0;
  if (std::ifstream v2(folder / "cpu.max"); v2 >> limit >> period) {
    return limit == "max" || period <= 0 ? std::nullopt : std::optional(std::atof(limit.c_str()) / period);
  }
  const std::optional<double> used = cgroup_number(folder / "cpu.cfs_quota_us"), of = cgroup_number(folder / "cpu.cfs_period_us");
  return used && of && *used > 0 && *of > 0 ? std::optional(*used / *of) : std::nullopt;
}

}  // namespace

std::vector<fs::path> cgroup_folders(const std::string& controller, const fs::path& process) {
  bool unified = false;
  const std::optional<std::string> path = path_of_group(process, controller, unified);
  const std::optional<Mount> mount = path ? mount_of(process, controller, unified) : std::nullopt;
  if (!mount) return {};
  // Inside a container the path may be the host's: the group that is mounted is then the container's own.
  fs::path below = fs::path(*path).lexically_relative(mount->root);
  if (below.empty() || *below.begin() == "..") below = ".";
  std::vector<fs::path> folders;
  std::error_code ignored;
  for (fs::path folder = (mount->point / below).lexically_normal(); true; folder = folder.parent_path()) {
    if (!folder.has_filename()) folder = folder.parent_path();  // "/sys/fs/cgroup/"
    if (fs::is_directory(folder, ignored)) folders.push_back(folder);
    if (folder == mount->point || folder == folder.parent_path()) return folders;
  }
}

std::optional<double> cgroup_number(const fs::path& file) {
  std::ifstream stream(file);
  double value = 0;
  if (!(stream >> value) || value >= kNoLimit) return std::nullopt;
  return value;
}

std::optional<double> cgroup_value(const fs::path& file, const std::string& key) {
  std::ifstream stream(file);
  std::string name;
  for (double value = 0; stream >> name >> value;) {
    if (name == key) return value;
  }
  return std::nullopt;
}

std::optional<CpuQuota> cpu_quota(const fs::path& process) {
  std::optional<CpuQuota> smallest;
  for (const fs::path& folder : cgroup_folders("cpu", process)) {
    const std::optional<double> cores = quota_of(folder);
    if (cores && (!smallest || *cores < smallest->cores)) smallest = {*cores, folder};
  }
  return smallest;
}

Throttling cpu_throttling(const fs::path& folder) {
  const auto count = [&](const char* key) { return static_cast<std::int64_t>(cgroup_value(folder / "cpu.stat", key).value_or(0)); };
  return {count("nr_periods"), count("nr_throttled")};
}

}  // namespace lockstep
