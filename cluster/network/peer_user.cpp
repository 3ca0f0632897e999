#include "cluster/network/peer_user.h"

#include <linux/inet_diag.h>
#include <linux/netlink.h>
#include <linux/sock_diag.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "cluster/descriptor.h"

namespace lockstep {
namespace peer_user_detail {
namespace {

constexpr std::uint8_t kListening = 10;  // TCP_LISTEN of the kernel's <net/tcp_states.h>
constexpr std::size_t kMappedV4 = 3;     // the word of an IPv6 address that holds a mapped IPv4 address (::ffff:127.0.0.1)

// One end of a TCP connection in network byte order. A mapped IPv4 address counts as IPv4.
struct End {
  int family = 0;
  std::array<std::uint32_t, 4> address{};
  std::uint16_t port = 0;
};

End end_of(const sockaddr_storage& from) {
  End end;
  end.family = from.ss_family;
  if (from.ss_family == AF_INET) {
    sockaddr_in v4;
    std::memcpy(&v4, &from, sizeof v4);
    end.address[0] = v4.sin_addr.s_addr;
    end.port = v4.sin_port;
  } else {
    sockaddr_in6 v6;
    std::memcpy(&v6, &from, sizeof v6);
    std::memcpy(end.address.data(), &v6.sin6_addr, sizeof v6.sin6_addr);
    end.port = v6.sin6_port;
    if (IN6_IS_ADDR_V4MAPPED(&v6.sin6_addr)) {
      end.family = AF_INET;
      end.address = {end.address[kMappedV4]};
    }
  }
  return end;
}

// False if the connection is over already.
bool ends(int accepted, End& here, End& there) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(accepted, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  here = end_of(address);
  size = sizeof address;
  if (getpeername(accepted, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  there = end_of(address);
  return true;
}

// A socket that no process holds has no inode, and counts as root's: it must not be taken for that.
Owner judge(std::uint32_t uid, std::uint64_t inode) {
  if (inode == 0) return Owner::gone;
  return uid == 0 || uid == geteuid() ? Owner::own : Owner::other;
}

// What the kernel says of the socket at `local` that is connected to `remote`. `gone` also if it does not know sockets of the
// protocol at all.
Owner look_up(const End& local, const End& remote, int protocol) {
  const Descriptor netlink(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink.is_open()) return Owner::unknown;
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } query{};
  query.header.nlmsg_len = sizeof query;
  query.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  query.header.nlmsg_flags = NLM_F_REQUEST;
  query.request.sdiag_family = static_cast<std::uint8_t>(local.family);
  query.request.sdiag_protocol = static_cast<std::uint8_t>(protocol);
  query.request.idiag_states = ~0U;
  query.request.id.idiag_sport = local.port;
  query.request.id.idiag_dport = remote.port;
  std::memcpy(query.request.id.idiag_src, local.address.data(), sizeof local.address);
  std::memcpy(query.request.id.idiag_dst, remote.address.data(), sizeof remote.address);
  query.request.id.idiag_cookie[0] = query.request.id.idiag_cookie[1] = INET_DIAG_NOCOOKIE;
  if (send(netlink.get(), &query, sizeof query, 0) != static_cast<ssize_t>(sizeof query)) return Owner::unknown;

  alignas(nlmsghdr) std::array<char, 8192> reply{};
  const ssize_t size = recv(netlink.get(), reply.data(), reply.size(), 0);  // the kernel has answered before send() returned
  const auto* header = reinterpret_cast<const nlmsghdr*>(reply.data());
  if (size < static_cast<ssize_t>(sizeof *header)) return Owner::unknown;
  if (header->nlmsg_type == NLMSG_ERROR && size >= static_cast<ssize_t>(NLMSG_LENGTH(sizeof(nlmsgerr)))) {
    return static_cast<const nlmsgerr*>(NLMSG_DATA(header))->error == -ENOENT ? Owner::gone : Owner::unknown;
  }
  if (header->nlmsg_type != SOCK_DIAG_BY_FAMILY || size < static_cast<ssize_t>(NLMSG_LENGTH(sizeof(inet_diag_msg)))) return Owner::unknown;
  const auto* found = static_cast<const inet_diag_msg*>(NLMSG_DATA(header));
  if (found->idiag_state == kListening) return Owner::gone;  // another socket, which now has the port
  return judge(found->idiag_uid, found->idiag_inode);
}

// As /proc/net/tcp and tcp6 print it.
std::string text_in(int table, const End& end) {
  std::array<std::uint32_t, 4> address = end.address;
  if (table != end.family) address = {0, 0, htonl(0xffff), end.address[0]};
  std::string joined;
  std::array<char, 16> digits{};
  for (std::size_t word = 0; word < (table == AF_INET ? 1U : 4U); ++word) {
    std::snprintf(digits.data(), digits.size(), "%08X", address[word]);
    joined += digits.data();
  }
  std::snprintf(digits.data(), digits.size(), ":%04X", static_cast<unsigned>(ntohs(end.port)));
  return joined + digits.data();
}

// `unknown` if there is no such table, `gone` if the socket is not in it.
Owner look_up_in(int table, const End& local, const End& remote) {
  std::ifstream lines(table == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6");
  std::string line;
  if (!std::getline(lines, line)) return Owner::unknown;
  const std::string wanted_local = text_in(table, local), wanted_remote = text_in(table, remote);
  while (std::getline(lines, line)) {
    std::istringstream fields(line);
    std::string slot, from, to, state, queues, timer, retransmits, timeout;
    std::uint32_t uid = 0;
    std::uint64_t inode = 0;
    if (!(fields >> slot >> from >> to >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode)) continue;
    if (from == wanted_local && to == wanted_remote) return judge(uid, inode);
  }
  return Owner::gone;
}

}  // namespace

Owner ask_kernel(int accepted, int protocol) {
  End here, there;
  if (!ends(accepted, here, there)) return Owner::gone;
  const Owner owner = look_up(there, here, protocol);
  if (owner != Owner::gone) return owner;
  // Our own end exists. A kernel that does not find it either has no tcp_diag.
  return look_up(here, there, protocol) == Owner::gone ? Owner::unknown : Owner::gone;
}

Owner ask_proc(int accepted) {
  End here, there;
  if (!ends(accepted, here, there)) return Owner::gone;
  const Owner owner = look_up_in(there.family, there, here);
  if (there.family == AF_INET6 || owner != Owner::gone) return owner;
  // An IPv6 socket that has connected to an IPv4 address stands in the table of IPv6.
  const Owner mapped = look_up_in(AF_INET6, there, here);
  return mapped == Owner::unknown ? Owner::gone : mapped;  // a kernel without IPv6 has no such table
}

}  // namespace peer_user_detail

namespace {

using peer_user_detail::Owner;

Owner owner_of_peer(int accepted) {
  const Owner owner = peer_user_detail::ask_kernel(accepted, IPPROTO_TCP);
  return owner == Owner::unknown ? peer_user_detail::ask_proc(accepted) : owner;
}

}  // namespace

bool is_own_users(int accepted) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(accepted, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  if (address.ss_family == AF_UNIX) {
    ucred peer{};
    socklen_t length = sizeof peer;
    return getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == 0 || peer.uid == geteuid());
  }
  const Owner owner = owner_of_peer(accepted);
  return owner == Owner::own || owner == Owner::unknown;
}

bool tells_users(int listening) {
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(listening, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  const Descriptor client(socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (connect(client.get(), reinterpret_cast<const sockaddr*>(&address), size) != 0) return false;
  const Descriptor accepted(accept4(listening, nullptr, nullptr, SOCK_CLOEXEC));
  return !accepted.is_open() || owner_of_peer(accepted.get()) != Owner::unknown;
}

}  // namespace lockstep
