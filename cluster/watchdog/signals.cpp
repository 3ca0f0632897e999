// Signals are blocked in every thread but one, which waits for them. No handler ever runs on top of the main thread: JIT-compiled kernels
// may keep data further below the stack pointer than the kernel spares when it pushes a signal frame. (Seen: a corrupted heap in one of
// five runs.)
#include "cluster/watchdog/signals.h"

#include <unistd.h>

#include <array>
#include <atomic>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <thread>

namespace lockstep {
namespace {

constexpr std::array kSignals{SIGUSR1, SIGTERM, SIGINT, SIGHUP, SIGXCPU};
constexpr int kWake = SIGUSR2;  // ends the waiting thread; taken only when this process has sent it
constexpr std::chrono::milliseconds kTwice{200};

sigset_t stop_signals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int number : kSignals) {
    struct sigaction action {};
    sigaction(number, nullptr, &action);
    if (action.sa_handler != SIG_IGN) sigaddset(&set, number);  // SIGINT in a shell's background jobs, SIGHUP under nohup
  }
  sigaddset(&set, kWake);
  sigaddset(&set, SIGCONT);  // a process that is stopped goes on all the same
  return set;
}

}  // namespace

struct StopSignals::Impl {
  explicit Impl(Second what) : second(what) {
    const sigset_t blocked = stop_signals();
    pthread_sigmask(SIG_BLOCK, &blocked, &before);
    thread = std::thread([this, blocked] { wait(blocked); });
  }
  ~Impl() {
    ending = true;
    pthread_kill(thread.native_handle(), kWake);
    thread.join();
    if (!settled) pthread_sigmask(SIG_SETMASK, &before, nullptr);
  }
  Impl(const Impl&) = delete;
  Impl& operator=(const Impl&) = delete;

  void wait(const sigset_t& set) {
    std::chrono::steady_clock::time_point counted_at;
    while (!ending) {
      int number = 0;
      if (sigwait(&set, &number) != 0) continue;
      if (number == SIGCONT) continued = true;
      if (number == SIGCONT || number == kWake || settled) continue;
      if (first == 0) first = number;
      if (number == SIGHUP || number == SIGXCPU) continue;
      const auto now = std::chrono::steady_clock::now();
      if (count > 0 && now - counted_at <= kTwice) continue;
      counted_at = now;
      if (++count < 2 || second == Second::counts) continue;
      std::fprintf(stderr, "a second signal (%s): leaving at once\n", signal_name(number));
      _exit(128 + number);
    }
  }

  const Second second;
  std::atomic<int> first{0}, count{0};
  std::atomic<bool> settled{false}, ending{false}, continued{false};
  sigset_t before{};
  std::thread thread;
};

StopSignals::StopSignals(Second second) : impl_(std::make_unique<Impl>(second)) {}
StopSignals::~StopSignals() = default;

int StopSignals::received() const noexcept { return impl_->first.load(std::memory_order_relaxed); }

int StopSignals::count() const noexcept { return impl_->count; }

bool StopSignals::was_continued() const noexcept { return impl_->continued; }

void StopSignals::settle() noexcept { impl_->settled = true; }

const char* signal_name(int number) noexcept {
  switch (number) {
    case SIGUSR1: return "SIGUSR1";
    case SIGTERM: return "SIGTERM";
    case SIGINT: return "SIGINT";
    case SIGKILL: return "SIGKILL";
    case SIGSEGV: return "SIGSEGV";
    case SIGABRT: return "SIGABRT";
    case SIGBUS: return "SIGBUS";
    case SIGFPE: return "SIGFPE";
    case SIGILL: return "SIGILL";
    case SIGQUIT: return "SIGQUIT";
    case SIGHUP: return "SIGHUP";
    case SIGXCPU: return "SIGXCPU";
    default: return "another signal";
  }
}

}  // namespace lockstep
