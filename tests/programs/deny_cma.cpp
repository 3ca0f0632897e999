// deny_cma COMMAND...: runs it where the kernel refuses cross-memory attach (process_vm_readv, process_vm_writev), as in many containers.
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstddef>
#include <cstdio>

int main(int, char** argv) {
  const auto jump_if = [](unsigned call, unsigned char skip) { return sock_filter{BPF_JMP | BPF_JEQ | BPF_K, skip, 0, call}; };
  std::array<sock_filter, 5> filter{{{BPF_LD | BPF_W | BPF_ABS, 0, 0, offsetof(seccomp_data, nr)},
                                     jump_if(SYS_process_vm_readv, 2),
                                     jump_if(SYS_process_vm_writev, 1),
                                     {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ALLOW},
                                     {BPF_RET | BPF_K, 0, 0, SECCOMP_RET_ERRNO | EPERM}}};
  const sock_fprog program{filter.size(), filter.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0) {
    std::perror("deny_cma: seccomp");
    return 125;
  }
  execvp(argv[1], argv + 1);
  std::perror(argv[1]);
  return 127;
}
