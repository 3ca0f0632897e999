#include "cluster/placement.h"

#include <sched.h>
#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <optional>
#include <sstream>

#include "cluster/cgroup.h"

namespace lockstep {
namespace {

std::vector<int> own_mask() {
  cpu_set_t set;
  CPU_ZERO(&set);
  std::vector<int> cores;
  if (sched_getaffinity(0, sizeof set, &set) != 0) return {0};
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

int usable_cores() {
  const int cores = static_cast<int>(own_mask().size());
  const double limit = quota();
  return std::max(1, limit > 0 ? std::min(cores, static_cast<int>(std::ceil(limit))) : cores);
}

int fair_threads(const std::vector<int>& own, const std::vector<std::vector<int>>& masks) {
  double share = 0;
  for (const int core : own) {
    const auto users = std::count_if(masks.begin(), masks.end(), [&](const std::vector<int>& mask) { return std::find(mask.begin(), mask.end(), core) != mask.end(); });
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
  own << getpid() << ' ' << usable_cores() << ' ' << threads << ' ' << world.hostname();
  std::vector<RankPlace> places;
  std::map<std::string, std::set<int>> used;  // host: its ranks' cores
  const std::vector<std::string> masks = world.all_gather(join(own_mask()));
  for (const std::string& text : world.all_gather(own.str())) {
    RankPlace place{static_cast<int>(places.size()), "", 0, 0, 0};
    std::istringstream(text) >> place.pid >> place.cores >> place.threads >> place.host;
    for (const int core : split(masks[places.size()])) used[place.host].insert(core);
    places.push_back(place);
  }
  const double limit = quota();
  for (RankPlace& place : places) {
    const int cores = static_cast<int>(used[place.host].size());
    place.host_cores = limit > 0 ? std::clamp(static_cast<int>(std::ceil(limit)), 1, cores) : cores;
  }
  return places;
}

}  // namespace lockstep
