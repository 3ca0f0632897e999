// Host names, networks that hosts have in common, proxies.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <ifaddrs.h>
#include <net/if.h>

#include <algorithm>
#include <bit>
#include <chrono>
#include <cstdlib>
#include <future>
#include <memory>
#include <set>
#include <sstream>
#include <thread>

#include "cluster/mpi_variables.h"
#include "cluster/network/addresses.h"
#include "cluster/network/mpi_ports.h"
#include "launch/doctor/doctor.h"

namespace lockstep {
namespace {

std::string environment(const char* name) {
  const char* const value = std::getenv(name);
  return value == nullptr ? "" : value;
}

/// A numeric address, "unknown", or "slow" if the name service takes longer than 5 s; its thread is left to itself then.
std::string look_up(const std::string& host) {
  auto promise = std::make_shared<std::promise<std::string>>();
  std::future<std::string> answer = promise->get_future();
  std::thread([promise, host] {
    try {
      promise->set_value(resolve(host));
    } catch (const Error&) {
      promise->set_value("unknown");
    }
  }).detach();
  return answer.wait_for(std::chrono::seconds(5)) == std::future_status::ready ? answer.get() : "slow";
}

Json probe_hosts(const Examination& examination) {
  Json names = Json::object();
  if (!examination.leads_host()) return {{"names", names}};
  for (const Seat& seat : examination.seats) {
    if (names.size() >= 64 || names.contains(seat.host)) continue;  // hosts of one cluster have one name service
    examination.trying("hosts: looking up " + seat.host);
    names[seat.host] = look_up(seat.host);
  }
  return {{"names", names}};
}

void judge_names(const Case& facts, Verdict& verdict) {
  std::map<std::string, std::vector<int>> unknown, slow, own;
  for (int rank = 0; rank < facts.ranks(); ++rank) {
    for (const auto& [name, address] : facts.of(rank)["names"].members()) {
      if (address == "unknown") unknown[name].push_back(rank);
      if (address == "slow") slow[name].push_back(rank);
      if (is_loopback(address.get<std::string>()) && name != facts.seat(rank).host) own[name].push_back(rank);
    }
  }
  const std::string fix = "an entry for every host in /etc/hosts of every host, or in DNS; mpirun --host with addresses needs no names";
  for (const auto& [name, ranks] : unknown) {
    const std::string found = "the name " + name + " has no address",
                      effect = "mpirun and ssh cannot reach that host by its name; each look-up may take seconds.";
    facts.hosts().size() > 1 ? verdict.problem(ranks, found, effect, fix) : verdict.warning(ranks, found, effect, fix);
  }
  for (const auto& [name, ranks] : slow) {
    verdict.problem(ranks, "looking up " + name + " takes longer than 5 s", "Starting takes minutes, or ends at a time limit.",
                    "mend /etc/resolv.conf (a name server that is gone), or: " + fix);
  }
  for (const auto& [name, ranks] : own) {
    verdict.problem(ranks, name + ", another host, has a loopback address there", "What is meant for that host goes to this one.", fix);
  }
}

Verdict judge_hosts(const Case& facts) {
  const auto hosts = facts.hosts();
  Verdict verdict{fmt::format("{} with names of their own that all can look up",
                              hosts.size() == 1 ? "one host" : fmt::format("{} hosts", hosts.size()))};
  std::map<std::string, std::vector<int>> same;
  std::map<std::string, int> machines;
  for (const std::vector<int>& ranks : hosts) {
    const std::string& name = facts.seat(ranks.front()).host;
    ++machines[name];
    same[name].insert(same[name].end(), ranks.begin(), ranks.end());
  }
  for (const auto& [name, count] : machines) {
    if (count < 2) continue;
    verdict.problem(same[name], fmt::format("{} different machines are called {}", count, name),
                    "Ranks count each other's cores as their own host's and use too few; messages about a failure do not say where it was.",
                    "a name of its own for each: hostnamectl set-hostname NAME; containers: --hostname NAME, or --uts=host");
  }
  if (const int seen = facts.examination.world.hosts(); seen != static_cast<int>(hosts.size())) {
    verdict.problem(
        {}, fmt::format("MPI sees {} {}, there {} {}", seen, seen == 1 ? "host" : "hosts", hosts.size() == 1 ? "is" : "are", hosts.size()),
        "Ranks that could share memory do not, or ranks try to that cannot.",
        "one entry for each machine in --host or the hostfile, by one name");
  }
  judge_names(facts, verdict);
  return verdict;
}

struct Interface {
  std::string name, address, network;  ///< "eth0", "10.77.0.1", "10.77.0.0/24"
};

std::string network_of(const sockaddr* address, const sockaddr* mask) {
  const std::uint32_t a = ntohl(reinterpret_cast<const sockaddr_in*>(address)->sin_addr.s_addr),
                      m = ntohl(reinterpret_cast<const sockaddr_in*>(mask)->sin_addr.s_addr);
  const in_addr network{htonl(a & m)};
  char text[INET_ADDRSTRLEN] = "";
  inet_ntop(AF_INET, &network, text, sizeof text);
  return fmt::format("{}/{}", text, std::popcount(m));
}

std::vector<Interface> interfaces() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) return {};
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(first, freeifaddrs);
  std::vector<Interface> found;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (entry->ifa_addr == nullptr || entry->ifa_netmask == nullptr || entry->ifa_addr->sa_family != AF_INET) continue;
    if ((entry->ifa_flags & IFF_UP) == 0 || (entry->ifa_flags & IFF_LOOPBACK) != 0) continue;
    char text[INET_ADDRSTRLEN] = "";
    inet_ntop(AF_INET, &reinterpret_cast<const sockaddr_in*>(entry->ifa_addr)->sin_addr, text, sizeof text);
    found.push_back({entry->ifa_name, text, network_of(entry->ifa_addr, entry->ifa_netmask)});
  }
  return found;
}

/// Whether Open MPI's list ("eth0,10.77.0.0/24") names the interface.
bool listed(const std::string& list, const Interface& interface) {
  std::istringstream entries(list);
  for (std::string entry; std::getline(entries, entry, ',');) {
    const std::size_t slash = entry.find('/');
    if (slash == std::string::npos) {
      if (entry == interface.name) return true;
      continue;
    }
    sockaddr_in address{}, mask{};
    const int bits = std::atoi(entry.c_str() + slash + 1);
    mask.sin_addr.s_addr = htonl(bits <= 0 ? 0 : ~std::uint32_t{0} << (32 - std::min(bits, 32)));
    const auto network = [&](const std::string& of) {
      if (inet_pton(AF_INET, of.c_str(), &address.sin_addr) != 1) return std::string("?");
      return network_of(reinterpret_cast<sockaddr*>(&address), reinterpret_cast<sockaddr*>(&mask));
    };
    if (network(entry.substr(0, slash)) == network(interface.address)) return true;
  }
  return false;
}

/// Networks that Open MPI's TCP will use on this host, by its own options.
Json probe_network(const Examination& examination) {
  const std::string include = mpi_variable("btl_tcp_if_include").value_or(""), exclude = mpi_variable("btl_tcp_if_exclude").value_or("");
  Json used = Json::array();
  if (!examination.leads_host()) return {{"used", used}};
  for (const Interface& interface : interfaces()) {
    if (include.empty() ? listed(exclude, interface) : !listed(include, interface)) continue;
    used.push_back({{"name", interface.name}, {"address", interface.address}, {"network", interface.network}});
  }
  return {{"used", used}};
}

Verdict judge_network(const Case& facts) {
  const auto hosts = facts.hosts();
  if (hosts.size() < 2) return {"one host: no network needed"};
  std::map<std::string, std::vector<int>> networks, addresses;
  for (const std::vector<int>& ranks : hosts) {
    std::set<std::string> seen;
    for (const Json& interface : facts.of(ranks.front())["used"]) {
      const auto network = interface["network"].get<std::string>();
      if (seen.insert(network).second) networks[network].push_back(ranks.front());
      addresses[interface["name"].get<std::string>() + " " + interface["address"].get<std::string>()].push_back(ranks.front());
    }
  }
  const auto doubled = [&](const std::string& network) {
    return std::any_of(addresses.begin(), addresses.end(), [&](const auto& entry) {
      return entry.second.size() > 1 && listed(network, {"", entry.first.substr(entry.first.find(' ') + 1), ""});
    });
  };
  std::string common;
  for (const auto& [network, ranks] : networks) {
    if (common.empty() && ranks.size() == hosts.size() && !doubled(network)) common = network;
  }
  Verdict verdict{"all hosts are on " + common};
  if (common.empty()) {
    verdict.problem(
        {}, "no network that all hosts are on", "Ranks of different hosts connect by chance of routing, or hang in the first message.",
        "mpirun --mca btl_tcp_if_include NETWORK --mca oob_tcp_if_include NETWORK with one that they share (ip -4 addr shows them)");
    return verdict;
  }
  const std::string fix =
      fmt::format("mpirun --mca btl_tcp_if_include {0} --mca oob_tcp_if_include {0}; srun: export OMPI_MCA_btl_tcp_if_include={0}", common);
  for (const auto& [address, ranks] : addresses) {
    if (ranks.size() < 2) continue;
    verdict.problem(ranks, address + " is the address of several hosts, as those of bridges of containers and virtual machines are",
                    "Open MPI connects to itself, or to nobody, through it and hangs.", fix);
  }
  for (const auto& [network, ranks] : networks) {
    if (ranks.size() == hosts.size() || doubled(network)) continue;
    verdict.warning(ranks, fmt::format("only {} of {} hosts are on {}", ranks.size(), hosts.size(), network),
                    "Open MPI offers that network to hosts that cannot reach it: connections may hang.", fix);
  }
  return verdict;
}

Json probe_ports(const Examination&) {
  std::string open;
  for (const OpenPort& port : open_ports()) {
    if (!port.guarded) open += (open.empty() ? "" : ", ") + port.address;
  }
  return {{"open", open}};
}

Verdict judge_ports(const Case& facts) {
  Verdict verdict{"no port of a rank answers anybody but ranks"};
  std::vector<int> ranks;
  for (int rank = 0; rank < facts.ranks(); ++rank) {
    if (!facts.of(rank)["open"].get<std::string>().empty()) ranks.push_back(rank);
  }
  if (ranks.empty()) return verdict;
  const bool one_host = facts.hosts().size() == 1;
  verdict.warning(ranks, fmt::format("MPI listens on {}", facts.of(ranks.front())["open"].get<std::string>()),
                  "Whoever can reach these ports, other users of the host too, can stop the job with one byte: MPI waits for more of it. "
                  "btl_tcp_if_include does not close them.",
                  one_host ? "mpirun --mca btl ^tcp,ofi (srun: export OMPI_MCA_btl=^tcp,ofi): ranks of one host need no network"
                           : "mpirun --mca btl_tcp_port_min_v4 20000 --mca btl_tcp_port_min_v6 20000, and a firewall that lets only the "
                             "job's hosts reach ports from 20000 on");
  return verdict;
}

Json probe_proxy(const Examination&) {
  std::string set;
  for (const char* name : {"grpc_proxy", "http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"}) {
    if (!environment(name).empty()) set += (set.empty() ? "" : ", ") + std::string(name);
  }
  const std::string without = environment("no_proxy") + "," + environment("NO_PROXY") + "," + environment("no_grpc_proxy");
  const bool spared = without.find("127.0.0.1") != std::string::npos || without.find('*') != std::string::npos;
  return {{"proxies", spared ? "" : set}};
}

Verdict judge_proxy(const Case& facts) {
  Verdict verdict{"no proxy between a client and this host"};
  for (const auto& [names, ranks] : facts.by("proxies")) {
    if (names.empty()) continue;
    verdict.warning(ranks, names + " set, and no_proxy does not spare 127.0.0.1",
                    "Lockstep's own commands ignore proxies; other clients of the coordinator (Python's gRPC, grpcurl) ask the proxy even "
                    "for 127.0.0.1 and get UNAVAILABLE.",
                    "export no_proxy=127.0.0.1,localhost");
  }
  return verdict;
}

}  // namespace

const std::vector<Check>& doctor_network() {
  static const std::vector<Check> checks{{"hosts", probe_hosts, judge_hosts},
                                         {"network", probe_network, judge_network},
                                         {"ports", probe_ports, judge_ports},
                                         {"proxy", probe_proxy, judge_proxy}};
  return checks;
}

}  // namespace lockstep
