#include "launch/hangup.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstdint>

namespace lockstep {
namespace {

volatile bool ignored_at_start = false;

#ifndef LOCKSTEP_SANITIZE
/// Runs before the constructors of all libraries: that of UCX, which Open MPI 5 is linked with, sets a handler of its own for SIGHUP. Calls
/// the kernel itself, since no library is ready yet.
void look_at_hangup() {
  std::array<std::uintptr_t, 4> action{};  // the kernel's struct begins with the handler
  syscall(SYS_rt_sigaction, SIGHUP, nullptr, action.data(), 8);
  ignored_at_start = action[0] == reinterpret_cast<std::uintptr_t>(SIG_IGN);
}
[[gnu::used, gnu::section(".preinit_array")]] void (*const before_libraries)() = look_at_hangup;
#endif

}  // namespace

void keep_hangup_ignored() {
  if (ignored_at_start) std::signal(SIGHUP, SIG_IGN);
}

}  // namespace lockstep
