#include "cluster/network/addresses.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <memory>

#include "cluster/error.h"

namespace lockstep {
namespace {

socklen_t length_of(const sockaddr* address) {
  return static_cast<socklen_t>(address->sa_family == AF_INET6 ? sizeof(sockaddr_in6) : sizeof(sockaddr_in));
}

std::string numeric(const sockaddr* address) {
  char text[NI_MAXHOST];
  return getnameinfo(address, length_of(address), text, sizeof text, nullptr, 0, NI_NUMERICHOST) == 0 ? text : "";
}

using AddressList = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

AddressList look_up(const std::string& host, int flags) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = flags;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), nullptr, &hints, &found);
  if (error != 0) throw Error("coordinator: no address for host '" + host + "': " + gai_strerror(error), kUsage);
  return {found, freeaddrinfo};
}

constexpr const char* kSocketFolder = "lockstep-coordinator-";
constexpr const char* kSocketName = "/socket";

sockaddr_un unix_address(const std::string& path) {
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  path.copy(address.sun_path, sizeof address.sun_path - 1);
  return address;
}

// Folders of sockets at which nobody listens any more.
void remove_left_sockets(const std::string& folder) {
  std::error_code ignored;
  for (std::filesystem::directory_iterator entry(folder, ignored), end; entry != end; entry.increment(ignored)) {
    struct stat found {};
    if (!entry->path().filename().string().starts_with(kSocketFolder)) continue;
    if (lstat(entry->path().c_str(), &found) != 0 || !S_ISDIR(found.st_mode) || found.st_uid != geteuid()) continue;
    const std::string path = entry->path().string() + kSocketName;
    const sockaddr_un address = unix_address(path);
    const Descriptor probe(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
    if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 || errno != ECONNREFUSED) continue;
    unlink(path.c_str());
    rmdir(entry->path().c_str());
  }
}

bool is_usable(const ifaddrs& entry) {
  if (entry.ifa_addr == nullptr || (entry.ifa_flags & IFF_UP) == 0 || (entry.ifa_flags & IFF_LOOPBACK) != 0) return false;
  if (entry.ifa_addr->sa_family == AF_INET) return true;
  if (entry.ifa_addr->sa_family != AF_INET6) return false;
  sockaddr_in6 address;
  std::memcpy(&address, entry.ifa_addr, sizeof address);
  return !IN6_IS_ADDR_LINKLOCAL(&address.sin6_addr);
}

}  // namespace

std::vector<std::string> interface_addresses() {
  ifaddrs* first = nullptr;
  if (getifaddrs(&first) != 0) throw Error(std::string("coordinator: cannot list network interfaces: ") + std::strerror(errno));
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> list(first, freeifaddrs);
  std::vector<std::string> addresses;
  for (const ifaddrs* entry = first; entry != nullptr; entry = entry->ifa_next) {
    if (is_usable(*entry)) addresses.push_back(numeric(entry->ifa_addr));
  }
  std::stable_partition(addresses.begin(), addresses.end(), [](const std::string& a) { return a.find(':') == std::string::npos; });
  return addresses;
}

std::string resolve(const std::string& host) {
  const AddressList list = look_up(host, 0);
  return numeric(list->ai_addr);
}

std::pair<std::string, int> numeric_address(const sockaddr_storage& address) {
  if (address.ss_family != AF_INET && address.ss_family != AF_INET6) return {"", 0};
  const bool v6 = address.ss_family == AF_INET6;
  const auto port = v6 ? reinterpret_cast<const sockaddr_in6&>(address).sin6_port : reinterpret_cast<const sockaddr_in&>(address).sin_port;
  return {numeric(reinterpret_cast<const sockaddr*>(&address)), ntohs(port)};
}

bool is_loopback(const std::string& numeric_address) {
  return numeric_address.starts_with("127.") || numeric_address.starts_with("::ffff:127.") || numeric_address == "::1";
}

bool is_wildcard(const std::string& numeric_address) { return numeric_address == "0.0.0.0" || numeric_address == "::"; }

namespace {

/// Whether a connection to this listening socket comes about; else errno says why not.
bool answers(const Descriptor& listening) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(listening.get(), reinterpret_cast<sockaddr*>(&address), &length);
  const Descriptor probe(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const timeval patience{2, 0};  // a filter may swallow it
  setsockopt(probe.get(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  if (connect(probe.get(), reinterpret_cast<const sockaddr*>(&address), length) != 0) return false;
  const Descriptor accepted(accept4(listening.get(), nullptr, nullptr, SOCK_CLOEXEC));
  return true;
}

}  // namespace

Descriptor listen_on(const std::string& numeric_address, int& port) {
  const AddressList list = look_up(numeric_address, AI_NUMERICHOST);
  sockaddr_storage address{};
  std::memcpy(&address, list->ai_addr, list->ai_addrlen);
  in_port_t& network_port =
      address.ss_family == AF_INET6 ? reinterpret_cast<sockaddr_in6&>(address).sin6_port : reinterpret_cast<sockaddr_in&>(address).sin_port;
  network_port = htons(static_cast<std::uint16_t>(port));
  Descriptor made(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const int on = 1, off = 0;
  setsockopt(made.get(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // connections of an earlier server may linger
  if (numeric_address == "::") setsockopt(made.get(), IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof off);
  socklen_t size = list->ai_addrlen;
  if (bind(made.get(), reinterpret_cast<const sockaddr*>(&address), size) == 0 && listen(made.get(), SOMAXCONN) == 0 &&
      getsockname(made.get(), reinterpret_cast<sockaddr*>(&address), &size) == 0) {
    port = ntohs(network_port);
    if (!is_loopback(numeric_address) || answers(made)) return made;
    throw Error("coordinator: nothing can connect to " + numeric_address + ": " + std::strerror(errno) +
                    "; the loopback interface is down or filtered: ip link set lo up, or go without it: --set coordinator.listen=unix, or "
                    "without the coordinator: --set coordinator.enabled=false",
                kUsage);
  }
  const int error = errno;
  const std::string hint = error == EADDRINUSE ? "; choose another port, or 0 for a free one"
                           : error == EADDRNOTAVAIL
                               ? "; it is not an address of this host (ip addr shows them); --set coordinator.enabled=false goes without"
                           : error == EACCES ? "; ports below 1024 are for root"
                                             : "";
  throw Error("coordinator: cannot listen on " + join_host_port(numeric_address, port) + ": " + std::strerror(error) + hint, kUsage);
}

UnixListener::UnixListener() {
  // Not XDG_RUNTIME_DIR first: it goes when its user logs out, the job stays.
  const char* runtime = std::getenv("XDG_RUNTIME_DIR");
  std::string folder = "/tmp";
  if (access(folder.c_str(), W_OK | X_OK) != 0 && runtime != nullptr && *runtime == '/') folder = runtime;
  remove_left_sockets(folder);
  std::string name = folder + "/" + kSocketFolder + "XXXXXX";
  if (mkdtemp(name.data()) == nullptr) {
    throw Error("coordinator: cannot make a folder for a socket in " + folder + ": " + std::strerror(errno) +
                "; it must be writable, or listen on an address (coordinator.listen)");
  }
  path_ = name + kSocketName;
  // It gets its name when it listens: before that it would look like one that was left.
  const std::string unnamed = path_ + ".new";
  const sockaddr_un address = unix_address(unnamed);
  socket_ = Descriptor(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0));
  const bool fits = unnamed.size() < sizeof address.sun_path;
  if (fits && bind(socket_.get(), reinterpret_cast<const sockaddr*>(&address), sizeof address) == 0 &&
      listen(socket_.get(), SOMAXCONN) == 0 && rename(unnamed.c_str(), path_.c_str()) == 0) {
    return;
  }
  const int error = fits ? errno : ENAMETOOLONG;
  unlink(unnamed.c_str());
  rmdir(name.c_str());
  throw Error("coordinator: cannot listen on " + path_ + ": " + std::strerror(error));
}

UnixListener::~UnixListener() {
  unlink(path_.c_str());
  rmdir(path_.substr(0, path_.rfind('/')).c_str());
}

std::string join_host_port(const std::string& numeric_address, int port) {
  const bool v6 = numeric_address.find(':') != std::string::npos;
  return (v6 ? "[" + numeric_address + "]" : numeric_address) + ":" + std::to_string(port);
}

}  // namespace lockstep
