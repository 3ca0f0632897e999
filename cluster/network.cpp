#include "cluster/network.h"

#include <arpa/inet.h>
#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
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

class Socket {
 public:
  explicit Socket(int family) : fd_(socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;
  int fd() const { return fd_; }

 private:
  int fd_;
};

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
bool answers(const Socket& listening) {
  sockaddr_storage address{};
  socklen_t length = sizeof address;
  getsockname(listening.fd(), reinterpret_cast<sockaddr*>(&address), &length);
  const Socket socket(address.ss_family);
  const timeval patience{2, 0};  // a filter may swallow it
  setsockopt(socket.fd(), SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
  return connect(socket.fd(), reinterpret_cast<const sockaddr*>(&address), length) == 0;
}

}  // namespace

void check_can_listen(const std::string& numeric_address, int port) {
  const AddressList list = look_up(numeric_address, AI_NUMERICHOST);
  sockaddr_storage address{};
  std::memcpy(&address, list->ai_addr, list->ai_addrlen);
  const auto network_port = htons(static_cast<std::uint16_t>(port));
  if (address.ss_family == AF_INET6) {
    reinterpret_cast<sockaddr_in6&>(address).sin6_port = network_port;
  } else {
    reinterpret_cast<sockaddr_in&>(address).sin_port = network_port;
  }
  const Socket socket(address.ss_family);
  const int on = 1;
  setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);  // as gRPC does: connections of an earlier server may linger
  if (bind(socket.fd(), reinterpret_cast<const sockaddr*>(&address), list->ai_addrlen) == 0 && listen(socket.fd(), 1) == 0) {
    if (!is_loopback(numeric_address) || answers(socket)) return;
    throw Error("coordinator: nothing can connect to " + numeric_address + ": " + std::strerror(errno) +
                "; the loopback interface is down or filtered: ip link set lo up, or go without: --set coordinator.enabled=false", kUsage);
  }
  const int error = errno;
  const std::string hint = error == EADDRINUSE      ? "; choose another port, or 0 for a free one"
                           : error == EADDRNOTAVAIL ? "; it is not an address of this host (ip addr shows them); --set coordinator.enabled=false goes without"
                           : error == EACCES        ? "; ports below 1024 are for root"
                                                    : "";
  throw Error("coordinator: cannot listen on " + join_host_port(numeric_address, port) + ": " + std::strerror(error) + hint, kUsage);
}

std::string join_host_port(const std::string& numeric_address, int port) {
  const bool v6 = numeric_address.find(':') != std::string::npos;
  return (v6 ? "[" + numeric_address + "]" : numeric_address) + ":" + std::to_string(port);
}

}  // namespace lockstep
