#include "cluster/network/mpi_ports.h"

#include <arpa/inet.h>
#include <linux/filter.h>
#include <mpi.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <algorithm>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <sstream>

#include "cluster/host/process_limits.h"
#include "cluster/mpi_variables.h"
#include "cluster/network/addresses.h"
#include "cluster/world.h"

namespace lockstep {
namespace {

int option(int descriptor, int name) {
  int value = 0;
  socklen_t size = sizeof value;
  return getsockopt(descriptor, SOL_SOCKET, name, &value, &size) == 0 ? value : 0;
}

/// Whether a filter is attached: its length in instructions is what the kernel returns as the size.
bool has_filter(int descriptor) {
  socklen_t length = 0;
  return getsockopt(descriptor, SOL_SOCKET, SO_GET_FILTER, nullptr, &length) == 0 && length > 0;
}

int number(const char* name) {
  const char* const text = std::getenv(name);
  return text == nullptr ? 0 : std::atoi(text);
}

/// Whether /dev/shm has room for MPI's shared memory, with some to spare. Where it has not, MPI starts only with the network, and Lockstep
/// then says what is short.
bool has_room_for_shared_memory() {
  return shared_memory_free() >=
         1.25 * mpi_shared_file() * std::max({number("OMPI_COMM_WORLD_LOCAL_SIZE"), number("SLURM_STEP_NUM_TASKS"), 1});
}

/// Whether MPI's list, "self,vader" or "^uct,openib", lets it use one of the names.
bool allows(const std::string& list, std::initializer_list<const char*> names) {
  const bool excludes = list.starts_with('^');
  std::istringstream entries(excludes ? list.substr(1) : list);
  bool listed = false;
  for (std::string entry; std::getline(entries, entry, ',');) {
    listed = listed || std::any_of(names.begin(), names.end(), [&](const char* name) { return entry == name; });
  }
  return list.empty() || listed != excludes;
}

/// Passes packets from these addresses on and drops all others. Loads count from the start of the IP header.
std::vector<sock_filter> filter(const std::set<std::string>& addresses) {
  const auto load = [](int size, unsigned at) {
    return sock_filter BPF_STMT(static_cast<std::uint16_t>(BPF_LD | size | BPF_ABS), static_cast<unsigned>(SKF_NET_OFF) + at);
  };
  const auto unless = [](std::uint32_t value, std::size_t skip) {
    return sock_filter BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, static_cast<std::uint8_t>(skip));
  };
  const sock_filter pass = BPF_STMT(BPF_RET | BPF_K, UINT32_MAX), drop = BPF_STMT(BPF_RET | BPF_K, 0);
  constexpr unsigned kSourceV4 = 12, kSourceV6 = 8;
  std::vector<sock_filter> v4{load(BPF_W, kSourceV4)}, v6;
  for (const std::string& address : addresses) {
    if (in_addr a{}; inet_pton(AF_INET, address.c_str(), &a) == 1) {
      v4.insert(v4.end(), {unless(ntohl(a.s_addr), 1), pass});
    } else if (in6_addr b{}; inet_pton(AF_INET6, address.c_str(), &b) == 1) {
      for (unsigned i = 0; i < 4; ++i) {
        std::uint32_t word = 0;
        std::memcpy(&word, b.s6_addr + 4 * i, sizeof word);
        v6.insert(v6.end(), {load(BPF_W, kSourceV6 + 4 * i), unless(ntohl(word), 7 - 2 * i)});
      }
      v6.push_back(pass);
    }
  }
  v4.push_back(drop);
  v6.push_back(drop);
  std::vector<sock_filter> all{load(BPF_B, 0), BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0xf0), unless(0x40, 1), BPF_STMT(BPF_JMP | BPF_JA, 1),
                               BPF_STMT(BPF_JMP | BPF_JA, static_cast<std::uint32_t>(v4.size()))};
  all.insert(all.end(), v4.begin(), v4.end());
  all.insert(all.end(), v6.begin(), v6.end());
  return all;
}

/// Of this host; "" where they cannot be listed.
std::string own_addresses() try {
  std::string list;
  for (const std::string& address : interface_addresses()) list += address + " ";
  return list;
} catch (const Error&) {
  return "";
}

/// Addresses from which other ranks may connect to this one; none if those of some host are not known. Collective.
std::set<std::string> peers(const World& world) {
  const std::string own = own_addresses();
  std::set<std::string> from;
  int same = 0;
  for (const std::string& list : world.all_gather(own)) {
    if (list.empty()) return {};
    std::istringstream words(list);
    if (list == own) {
      ++same;
    } else {
      for (std::string word; words >> word;) from.insert(word);
    }
  }
  // Ranks of this host use its memory, unless their transports are others, or there are several nodes of a batch system on one machine. Of
  // pml ob1 that is certain; UCX, say, may connect to its own host, too. MPI keeps the settings of the pml that it has chosen.
  const bool ob1 = mpi_variable("pml_ob1_priority").has_value();
  if (ob1 && same == world.local_size() && allows(mpi_variable("btl").value_or(""), {"vader", "sm"})) return from;
  std::istringstream words(own);
  for (std::string word; words >> word;) from.insert(word);
  from.insert({"127.0.0.1", "::1"});
  return from;
}

}  // namespace

std::vector<OpenPort> open_ports() {
  std::vector<OpenPort> found;
  std::error_code none;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd", none)) {
    const int descriptor = std::atoi(entry.path().filename().c_str());
    sockaddr_storage address{};
    socklen_t size = sizeof address;
    if (option(descriptor, SO_ACCEPTCONN) == 0 || option(descriptor, SO_PROTOCOL) != IPPROTO_TCP) continue;
    if (getsockname(descriptor, reinterpret_cast<sockaddr*>(&address), &size) != 0) continue;
    const auto [host, port] = numeric_address(address);
    if (!is_loopback(host)) found.push_back({descriptor, join_host_port(host, port), port, has_filter(descriptor)});
  }
  return found;
}

bool all_ranks_here() {
  if (const int ranks = number("OMPI_COMM_WORLD_SIZE"); ranks > 0) return ranks == number("OMPI_COMM_WORLD_LOCAL_SIZE");
  // srun. In a heterogeneous job the step's variables are those of one component, and the others' nodes are not counted.
  if (std::getenv("SLURM_HET_SIZE") != nullptr) return false;
  return std::getenv("PMIX_RANK") != nullptr && number("SLURM_STEP_NUM_NODES") == 1;
}

void leave_out_network(const MpiSettings& settings) {
  const std::optional<std::string> now = mpi_variable("btl");
  if (!has_room_for_shared_memory() || !now || (!now->empty() && now->front() != '^')) return;
  settings.set("btl", (now->empty() ? "^" : *now + ",") + std::string("tcp,ofi,openib,uct,usnic"));
}

void guard_ports(const World& world, const std::vector<OpenPort>& before) {
  const std::set<std::string> addresses = peers(world);
  const std::vector<sock_filter> program = filter(addresses);
  if (addresses.empty() || program.size() > BPF_MAXINSNS) return;
  const sock_fprog attached{static_cast<unsigned short>(program.size()),
                            const_cast<sock_filter*>(program.data())};  // the kernel's type has no const
  for (const OpenPort& port : open_ports()) {
    const bool inherited =
        std::any_of(before.begin(), before.end(), [&](const OpenPort& old) { return old.descriptor == port.descriptor; });
    if (!inherited) setsockopt(port.descriptor, SOL_SOCKET, SO_ATTACH_FILTER, &attached, sizeof attached);
  }
}

}  // namespace lockstep
