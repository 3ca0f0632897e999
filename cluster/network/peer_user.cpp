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

constexpr std::uint8_t kListening = 10;  // TCP_LISTEN of the kernel's tcp_states.h

// One end of a TCP connection in network byte order.
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

}  // namespace

Owner ask_kernel(int accepted) {
  End here, there;
  if (!ends(accepted, here, there)) return Owner::gone;
  const Descriptor netlink(socket(AF_NETLINK, SOCK_DGRAM | SOCK_CLOEXEC, NETLINK_SOCK_DIAG));
  if (!netlink.is_open()) return Owner::unknown;
  struct {
    nlmsghdr header;
    inet_diag_req_v2 request;
  } query{};
  query.header.nlmsg_len = sizeof query;
  query.header.nlmsg_type = SOCK_DIAG_BY_FAMILY;
  query.header.nlmsg_flags = NLM_F_REQUEST;
  query.request.sdiag_family = static_cast<std::uint8_t>(there.family);
  query.request.sdiag_protocol = IPPROTO_TCP;
  query.request.idiag_states = ~0U;
  query.request.id.idiag_sport = there.port;
  query.request.id.idiag_dport = here.port;
  std::memcpy(query.request.id.idiag_src, there.address.data(), sizeof there.address);
  std::memcpy(query.request.id.idiag_dst, here.address.data(), sizeof here.address);
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

Owner ask_proc(int accepted) {
  End here, there;
  if (!ends(accepted, here, there)) return Owner::gone;
  std::ifstream table(there.family == AF_INET ? "/proc/net/tcp" : "/proc/net/tcp6");
  std::string line;
  if (!std::getline(table, line)) return Owner::unknown;
  const auto text = [](const End& end) {
    char digits[16];
    std::string joined;
    for (std::size_t word = 0; word < (end.family == AF_INET ? 1U : 4U); ++word) {
      std::snprintf(digits, sizeof digits, "%08X", end.address[word]);
      joined += digits;
    }
    std::snprintf(digits, sizeof digits, ":%04X", static_cast<unsigned>(ntohs(end.port)));
    return joined + digits;
  };
  const std::string local = text(there), remote = text(here);
  while (std::getline(table, line)) {
    std::istringstream fields(line);
    std::string slot, from, to, state, queues, timer, retransmits, timeout;
    std::uint32_t uid = 0;
    std::uint64_t inode = 0;
    if (!(fields >> slot >> from >> to >> state >> queues >> timer >> retransmits >> uid >> timeout >> inode)) continue;
    if (from == local && to == remote) return judge(uid, inode);
  }
  return Owner::gone;
}

}  // namespace peer_user_detail

bool is_own_users(int accepted) {
  using peer_user_detail::Owner;
  sockaddr_storage address{};
  socklen_t size = sizeof address;
  if (getsockname(accepted, reinterpret_cast<sockaddr*>(&address), &size) != 0) return false;
  if (address.ss_family == AF_UNIX) {
    ucred peer{};
    socklen_t length = sizeof peer;
    return getsockopt(accepted, SOL_SOCKET, SO_PEERCRED, &peer, &length) == 0 && (peer.uid == 0 || peer.uid == geteuid());
  }
  Owner owner = peer_user_detail::ask_kernel(accepted);
  if (owner == Owner::unknown) owner = peer_user_detail::ask_proc(accepted);
  return owner == Owner::own || owner == Owner::unknown;
}

}  // namespace lockstep
