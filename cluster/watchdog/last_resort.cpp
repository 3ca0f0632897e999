#include "cluster/watchdog/last_resort.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <ctime>

namespace lockstep {
namespace {

constexpr int kMost = 512;

/// What the new process needs, without memory that a lock could guard.
struct Targets {
  int ranks[kMost];  // descriptors
  int count = 0;
  int launcher = -1;
};

bool runs(int descriptor) { return descriptor >= 0 && syscall(SYS_pidfd_send_signal, descriptor, 0, nullptr, 0U) == 0; }

void strike(int descriptor, int number) {
  if (descriptor >= 0) syscall(SYS_pidfd_send_signal, descriptor, number, nullptr, 0U);
}

/// Waits in tenths of a second; true as soon as all targets have ended.
bool all_end_within(const Targets& targets, std::chrono::milliseconds time) {
  for (auto left = time; left.count() > 0; left -= std::chrono::milliseconds(100)) {
    bool any = runs(targets.launcher);
    for (int i = 0; i < targets.count; ++i) any = any || runs(targets.ranks[i]);
    if (!any) return true;
    const timespec tenth{0, 100'000'000};
    nanosleep(&tenth, nullptr);
  }
  return false;
}

/// Open MPI waits for the ends of pipes and sockets: this process must hold none but its targets.
void close_others(Targets& targets) {
  int* const end = targets.ranks + targets.count;
  std::sort(targets.ranks, end);
  unsigned first = 0;
  const auto keep = [&first](int descriptor) {
    const auto kept = static_cast<unsigned>(descriptor);
    if (kept > first) syscall(SYS_close_range, first, kept - 1, 0U);
    first = kept + 1;
  };
  bool launcher = targets.launcher >= 0;
  for (const int* rank = targets.ranks; rank != end; ++rank) {
    if (launcher && targets.launcher < *rank) {
      keep(targets.launcher);
      launcher = false;
    }
    keep(*rank);
  }
  if (launcher) keep(targets.launcher);
  syscall(SYS_close_range, first, ~0U, 0U);
}

[[noreturn]] void watch_the_end(Targets& targets, std::chrono::milliseconds grace) {
  setsid();
  struct sigaction ignore {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGTERM, &ignore, nullptr);
  close_others(targets);
  if (all_end_within(targets, grace)) _exit(0);
  strike(targets.launcher, SIGTERM);
  if (all_end_within(targets, std::chrono::milliseconds(1000))) _exit(0);
  for (int i = 0; i < targets.count; ++i) strike(targets.ranks[i], SIGKILL);
  if (all_end_within(targets, std::chrono::milliseconds(1000))) _exit(0);
  strike(targets.launcher, SIGKILL);
  _exit(0);
}

}  // namespace

void end_by_force(const std::vector<ProcessHandle>& ranks, const ProcessHandle* launcher, std::chrono::milliseconds grace) noexcept {
  Targets targets;
  for (const ProcessHandle& rank : ranks) {
    if (rank.descriptor() >= 0 && targets.count < kMost) targets.ranks[targets.count++] = rank.descriptor();
  }
  if (launcher != nullptr) targets.launcher = launcher->descriptor();
  if (_Fork() == 0) watch_the_end(targets, grace);  // no handlers of gRPC or MPI around it
}

}  // namespace lockstep
