#pragma once
#include <fcntl.h>
#include <linux/filter.h>
#include <linux/netlink.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>

#include <array>
#include <cerrno>
#include <cstddef>

namespace lockstep::testing {

enum class Denied { sock_diag, sock_diag_and_proc };

/// From now on the kernel refuses this process sockets of sock_diag, as in many containers; and on demand every file that is opened just
/// for reading, those in /proc among them. For a child of a test. False if the kernel takes no filter.
inline bool deny(Denied what) {
  const auto load = [](std::size_t at) { return sock_filter{BPF_LD | BPF_W | BPF_ABS, 0, 0, static_cast<unsigned>(at)}; };
  const auto argument = [&](std::size_t i) { return load(offsetof(seccomp_data, args) + 8 * i); };
  const auto unless = [](unsigned value, unsigned char skip) { return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, 0, skip, value}; };
  constexpr sock_filter kAllow{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW}, kRefuse{BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM};
  const unsigned open = what == Denied::sock_diag_and_proc ? SYS_openat : ~0U;
  std::array<sock_filter, 12> filter{load(offsetof(seccomp_data, nr)),
                                     unless(SYS_socket, 5),
                                     argument(0),
                                     unless(AF_NETLINK, 7),
                                     argument(2),
                                     unless(NETLINK_SOCK_DIAG, 5),
                                     kRefuse,
                                     unless(open, 3),
                                     argument(2),
                                     unless(O_RDONLY, 1),
                                     kRefuse,
                                     kAllow};
  const sock_fprog program{filter.size(), filter.data()};
  return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0 && prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) == 0;
}

}  // namespace lockstep::testing
