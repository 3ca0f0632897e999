#pragma once

namespace lockstep {

/// Whether a connection comes from a process of this user or of root: for accepted Unix sockets and for TCP within this host.
/// Where the kernel does not tell the owners of sockets, a TCP connection counts as this user's.
bool is_own_users(int accepted);

/// Whether this system tells the owners of sockets. `listening`: a TCP socket on a loopback address whose connections nobody accepts yet.
bool tells_users(int listening);

namespace peer_user_detail {

/// What one source says of a connection's other end. `gone`: no process holds it any more. `unknown`: the source is not there.
enum class Owner { own, other, gone, unknown };
Owner ask_kernel(int accepted, int protocol);  ///< by a netlink socket; `protocol`: IPPROTO_TCP
Owner ask_proc(int accepted);                  ///< by /proc/net/tcp and tcp6

}  // namespace peer_user_detail
}  // namespace lockstep
