#include "cluster/host/placement.h"

#include <fmt/format.h>
#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <optional>
#include <set>
#include <sstream>
#include <thread>

#include "cluster/host/cgroup.h"
#include "cluster/host/process_state.h"

namespace lockstep {
namespace {

std::vector<int> mask_of(pid_t process) {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(process, sizeof set, &set) != 0) return {};
  for (int core = 0; core < CPU_SETSIZE; ++core) {
    if (CPU_ISSET(core, &set)) cores.push_back(core);
  }
  return cores;
}

/// Cores that the quota of this process's cgroup is worth; 0: no quota.
double quota() {
  const std::optional<CpuQuota> quota = cpu_quota();
  return quota ? quota->cores : 0;
}

std::string join(const std::vector<int>& numbers) {
  std::ostringstream text;
  for (const int number : numbers) text << number << ' ';
  return text.str();
}

std::vector<int> split(const std::string& text) {
  std::istringstream stream(text);
  std::vector<int> numbers;
  for (int number = 0; stream >> number;) numbers.push_back(number);
  return numbers;
}

/// The masks of all ranks of this host. Collective.
std::vector<std::vector<int>> masks_of_host(const World& world) {
  const std::vector<std::string> hosts = world.all_gather(world.hostname()), masks = world.all_gather(join(own_mask()));
  std::vector<std::vector<int>> own;
  for (std::size_t r = 0; r < hosts.size(); ++r) {
    if (hosts[r] == world.hostname()) own.push_back(split(masks[r]));
  }
  return own;
}

}  // namespace

std::vector<int> own_mask() {
  const std::vector<int> cores = mask_of(0);
  return cores.empty() ? std::vector<int>{0} : cores;
}

std::vector<int> cores_of_job() {
  std::vector<int> cores;
  // A thread asks for all cores; the kernel leaves it those of the cpuset.
  std::thread([&cores] {
    cpu_set_t all;
    CPU_ZERO(&all);
    for (int core = 0; core < CPU_SETSIZE; ++core) CPU_SET(core, &all);
    sched_setaffinity(0, sizeof all, &all);
    cores = own_mask();
  }).join();
  const char* slurm = std::getenv("SLURM_CPUS_ON_NODE");
  const std::size_t granted = slurm == nullptr ? 0 : static_cast<std::size_t>(std::max(0, std::atoi(slurm)));
  if (granted > 0 && granted < cores.size()) cores.resize(granted);
  return cores;
}

int usable_cores() {
  const int cores = static_cast<int>(own_mask().size());
  const double limit = quota();
  return std::max(1, limit > 0 ? std::min(cores, static_cast<int>(std::ceil(limit))) : cores);
}

int fair_threads(const std::vector<int>& own, const std::vector<std::vector<int>>& masks) {
  double share = 0;
  for (const int core : own) {
    const auto users = std::count_if(masks.begin(), masks.end(),
                                     [&](const std::vector<int>& mask) { return std::find(mask.begin(), mask.end(), core) != mask.end(); });
    if (users > 0) share += 1.0 / static_cast<double>(users);
  }
  return std::max(1, static_cast<int>(share + 1e-9));
}

int host_cores(const World& world) {
  std::set<int> cores;
  for (const std::vector<int>& mask : masks_of_host(world)) cores.insert(mask.begin(), mask.end());
  const double limit = quota(), all = static_cast<double>(cores.size());
  return std::max(1, static_cast<int>(limit > 0 ? std::min(all, std::ceil(limit)) : all));
}

namespace {

/// Of this rank, whose host's masks these are.
int fair_share(const std::vector<std::vector<int>>& masks) {
  const int share = fair_threads(own_mask(), masks);
  const double limit = quota() / static_cast<double>(masks.size());
  return limit > 0 ? std::clamp(static_cast<int>(limit), 1, share) : share;
}

}  // namespace

int threads_for_rank(const World& world, int wanted) {
  const std::vector<std::vector<int>> neighbours = masks_of_host(world);
  if (wanted > 0) return wanted;
  if (const char* user = std::getenv("OMP_NUM_THREADS"); user != nullptr && std::atoi(user) > 0) return std::atoi(user);
  return fair_share(neighbours);
}

bool has_spare_core(const World& world, int threads) { return fair_share(masks_of_host(world)) > threads; }

std::vector<RankPlace> rank_places(const World& world, int threads) {
  std::ostringstream own;
  own << getpid() << ' ' << usable_cores() << ' ' << threads << ' ' << quota() << ' ' << cores_of_job().size() << ' ' << world.hostname();
  std::vector<RankPlace> places;
  std::map<std::string, std::set<int>> used;  // host: its ranks' cores
  std::map<std::string, double> limits;       // host: its quota
  const std::vector<std::string> masks = world.all_gather(join(own_mask()));
  for (const std::string& text : world.all_gather(own.str())) {
    RankPlace place{static_cast<int>(places.size()), "", 0, 0, 0};
    double limit = 0;
    std::istringstream(text) >> place.pid >> place.cores >> place.threads >> limit >> place.job_cores >> place.host;
    limits[place.host] = limit;
    place.mask = split(masks[places.size()]);
    used[place.host].insert(place.mask.begin(), place.mask.end());
    places.push_back(place);
  }
  for (RankPlace& place : places) {
    const int cores = static_cast<int>(used[place.host].size());
    const double limit = limits[place.host];
    place.host_cores = limit > 0 ? std::clamp(static_cast<int>(std::ceil(limit)), 1, cores) : cores;
  }
  return places;
}

std::string too_many_threads(const std::vector<RankPlace>& places) {
  std::map<std::string, int> ranks, threads;
  for (const RankPlace& place : places) {
    ++ranks[place.host];
    threads[place.host] += place.threads;
  }
  const char* const variable = std::getenv("OMP_NUM_THREADS");
  const std::string source =
      variable == nullptr ? "--threads or cluster.threads" : "OMP_NUM_THREADS=" + std::string(variable) + ", --threads or cluster.threads";
  for (const RankPlace& place : places) {
    const int on_host = ranks[place.host], fit = std::max(1, std::min(place.cores, place.host_cores / on_host));
    if (place.threads <= place.cores && (place.threads <= 1 || threads[place.host] <= place.host_cores)) continue;
    return fmt::format(
        "rank {} on {} has {} {} ({}) and may use {} {}{}: threads take turns, and "
        "each step waits for the one that runs last; {} a rank would fit",
        place.rank, place.host, place.threads, place.threads == 1 ? "thread" : "threads", source, place.cores,
        place.cores == 1 ? "core" : "cores",
        on_host > 1 ? fmt::format(", {} ranks of that host {} together", on_host, place.host_cores) : "", fit);
  }
  return "";
}

namespace {

/// Cores' worth of time that a process has used since it started; 0 where /proc does not tell.
double share_of_core(const std::string& pid) {
  std::ifstream stream("/proc/" + pid + "/stat");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  std::string field;
  double user = 0, system = 0, start = 0, up = 0;
  for (int i = 0; i < 11; ++i) fields >> field;  // proc(5): the fields from the state to utime, and those between stime and the start
  fields >> user >> system;
  for (int i = 0; i < 6; ++i) fields >> field;
  fields >> start;
  std::ifstream("/proc/uptime") >> up;
  const double ticks = static_cast<double>(sysconf(_SC_CLK_TCK)), alive = up - start / ticks;
  return alive > 0 ? (user + system) / ticks / alive : 0;
}

}  // namespace

std::string rival_on_cores(const std::vector<long>& own) {
  constexpr double kBusy = 0.1;
  const std::vector<int> mask = own_mask();
  const std::size_t all = cores_of_job().size();
  if (mask.size() >= all) return "";
  std::error_code ignored;
  for (const auto& entry : std::filesystem::directory_iterator("/proc", ignored)) {
    const std::string pid = entry.path().filename().string();
    if (pid.find_first_not_of("0123456789") != std::string::npos || std::count(own.begin(), own.end(), std::atol(pid.c_str())) > 0) {
      continue;
    }
    const std::vector<int> other = mask_of(static_cast<pid_t>(std::atol(pid.c_str())));
    std::vector<int> common;
    std::set_intersection(mask.begin(), mask.end(), other.begin(), other.end(), std::back_inserter(common));
    if (common.empty() || other.size() >= all) continue;
    const double share = share_of_core(pid);
    if (share >= kBusy) {
      return fmt::format("pid {} ({}), which used {:.0f} % of a core since it started", pid, process_name(std::atol(pid.c_str())),
                         share * 100);
    }
  }
  return "";
}

}  // namespace lockstep
