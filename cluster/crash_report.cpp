// The handlers behind CrashReport: nothing here may allocate, lock or format.
#include <unistd.h>

#include <array>
#include <atomic>
#include <csignal>
#include <cstring>

#include "cluster/activity.h"
#include "cluster/rank_log.h"
#include "cluster/signals.h"

namespace lockstep {
namespace {

constexpr std::array kCrashes{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

// A handler can be told nothing: these are of the process.
std::atomic<const Activity*> watched{nullptr};
std::atomic<int> log_descriptor{-1};
std::array<struct sigaction, kCrashes.size()> before;
std::array<char, 64U << 10U> stack;  // a handler has no room on a stack that has overflowed

class Line {
 public:
  void add(const char* text) {
    while (*text != '\0' && length_ < text_.size()) text_[length_++] = *text++;
  }
  void add(std::uint64_t number) {
    std::array<char, 24> digits{};
    std::size_t at = digits.size() - 1;
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    add(&digits[at]);
  }
  void write_to(int descriptor) const { static_cast<void>(!write(descriptor, text_.data(), length_)); }

 private:
  std::array<char, 256> text_{};
  std::size_t length_ = 0;
};

extern "C" void on_crash(int number, siginfo_t*, void*) {
  const Activity* activity = watched.exchange(nullptr);
  if (activity != nullptr) {
    Line line;
    line.add("crashed: ");
    line.add(signal_name(number));
    line.add(" after step ");
    line.add(static_cast<std::uint64_t>(activity->cell().step.load()));
    line.add(", ");
    line.add(place_name(activity->place()));
    if (number == SIGBUS) line.add(" (no room for memory that ranks share, df /dev/shm; or a mapped file that became shorter)");
    line.add("\n");
    line.write_to(log_descriptor.load());
  }
  for (std::size_t i = 0; i < kCrashes.size(); ++i) {
    if (kCrashes[i] == number) sigaction(number, &before[i], nullptr);
  }
  raise(number);  // delivered when this handler returns: to whoever handled it before (Open MPI's backtrace), or the default
}

}  // namespace

CrashReport::CrashReport(const RankLog& log, const Activity& activity) {
  watched = &activity;
  log_descriptor = log.descriptor();
  stack_t alternative{};
  alternative.ss_sp = stack.data();
  alternative.ss_size = stack.size();
  sigaltstack(&alternative, nullptr);
  struct sigaction action{};
  action.sa_sigaction = on_crash;
  action.sa_flags = SA_SIGINFO | SA_ONSTACK;
  sigemptyset(&action.sa_mask);
  for (std::size_t i = 0; i < kCrashes.size(); ++i) sigaction(kCrashes[i], &action, &before[i]);
}

CrashReport::~CrashReport() {
  watched = nullptr;
  for (std::size_t i = 0; i < kCrashes.size(); ++i) sigaction(kCrashes[i], &before[i], nullptr);
  stack_t none{};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
}

}  // namespace lockstep
