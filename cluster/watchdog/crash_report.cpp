// What is done about a crash. Nothing in the handler may allocate, lock or format.
//
// A library that has crashed holds locks and half-changed memory: nothing can be resumed, and a forked child that tries a file first is no
// way out either, for a fork copies MPI's threads' locks. So the process says what it was reading and ends.
#include "cluster/watchdog/crash_report.h"

#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <climits>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <ctime>

#include "cluster/activity.h"
#include "cluster/error.h"
#include "cluster/watchdog/rank_log.h"
#include "cluster/watchdog/signals.h"

namespace lockstep {
namespace {

constexpr std::array kCrashes{SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

// A handler can be told nothing: these are of the process ...
std::atomic<const Activity*> watched{nullptr};  // for the log
std::atomic<int> log_descriptor{-1};
std::atomic<bool> speaks{false};
std::array<char, 400> speaker;
std::size_t speaker_length = 0;
int speaking_rank = 0;
std::atomic<std::atomic<std::uint32_t>*> told_mark{nullptr};
std::array<struct sigaction, kCrashes.size()> before;
std::array<char, 64U << 10U> stack;  // a handler has no room on a stack that has overflowed

// ... and this is of the thread. Initial-exec: the first use in a thread must not allocate.
__attribute__((tls_model("initial-exec"))) thread_local const Reading* innermost = nullptr;

}  // namespace

class CrashLine {
 public:
  void add(std::string_view text) {
    const std::size_t count = std::min(text.size(), text_.size() - length_);
    std::memcpy(text_.data() + length_, text.data(), count);
    length_ += count;
  }
  void add(std::uint64_t number) {
    std::array<char, 24> digits{};
    std::size_t at = digits.size();
    do {
      digits[--at] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number > 0);
    add({&digits[at], digits.size() - at});
  }
  /// "attribute 'class_names' of '/'"
  void add(const Reading& reading) {
    add(reading.kind_);
    if (!reading.name_.empty()) quote(" '", reading.name_);
    if (!reading.owner_.empty()) quote(" of '", reading.owner_);
  }
  void add_file(const Reading& reading) { add(reading.file_); }
  void write_to(int descriptor) const { static_cast<void>(!write(descriptor, text_.data(), length_)); }
  /// For a descriptor whose reader may have stopped reading. False if the reader has not taken all of it within a second.
  bool offer_to(int descriptor) const {
    int patience = 1000;
    for (std::size_t done = 0; done < length_;) {
      constexpr int kTurn = 50;
      pollfd writable{descriptor, POLLOUT, 0};
      if (poll(&writable, 1, kTurn) != 1) {  // a signal may have cut it short
        if ((patience -= kTurn) <= 0) return false;
        continue;
      }
      const std::size_t most = std::min<std::size_t>(length_ - done, PIPE_BUF);  // a pipe that is writable takes so much
      const ssize_t count = write(descriptor, text_.data() + done, most);
      if (count <= 0) return false;
      done += static_cast<std::size_t>(count);
    }
    return true;
  }

 private:
  void quote(std::string_view opening, std::string_view text) {
    add(opening);
    add(text);
    add("'");
  }
  std::array<char, 8192> text_{};  // two paths
  std::size_t length_ = 0;
};

namespace {

void log_crash(int number, const Reading* reading) {
  const Activity* activity = watched.exchange(nullptr);
  if (activity == nullptr) return;
  CrashLine line;
  line.add("crashed: ");
  line.add(signal_name(number));
  line.add(" after step ");
  line.add(static_cast<std::uint64_t>(activity->cell().step.load()));
  line.add(", ");
  line.add(stage_name(activity->stage()));
  if (number == SIGBUS) line.add(" (no room for memory that ranks share, df /dev/shm; or a mapped file that became shorter)");
  if (reading != nullptr) {
    line.add(": ");
    line.add(*reading);
    line.add(" in ");
    line.add_file(*reading);
  }
  line.add("\n");
  line.write_to(log_descriptor.load());
}

void tell_crash(int number, const Reading& reading) {
  if (speaking_rank > 0) {
    const timespec later{3, 0};
    nanosleep(&later, nullptr);
  }
  CrashLine line;
  line.add({speaker.data(), speaker_length});
  line.add_file(reading);
  line.add(": crashed (");
  line.add(signal_name(number));
  line.add(") while reading ");
  line.add(reading);
  line.add(": the file is most likely damaged; copy it again or make it anew\n");
  if (!line.offer_to(STDERR_FILENO)) return;
  if (std::atomic<std::uint32_t>* mark = told_mark.load(); mark != nullptr) mark->store(1);
}

extern "C" void on_crash(int number, siginfo_t*, void*) {
  const Reading* reading = innermost;
  log_crash(number, reading);
  if (reading != nullptr && speaks.exchange(false)) {
    tell_crash(number, *reading);
#ifndef LOCKSTEP_SANITIZE  // there the sanitizer's own report follows
    _exit(kFailed);
#endif
  }
  for (std::size_t i = 0; i < kCrashes.size(); ++i) {
    if (kCrashes[i] == number) sigaction(number, &before[i], nullptr);
  }
  raise(number);  // delivered when this handler returns: to whoever handled it before (Open MPI's backtrace), or the default
}

/// Once in a process: a handler that is taken away could take one away that came later.
void handle_crashes() {
  static const bool handled = [] {
    stack_t alternative{};
    alternative.ss_sp = stack.data();
    alternative.ss_size = stack.size();
    sigaltstack(&alternative, nullptr);
    struct sigaction action {};
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO | SA_ONSTACK;
    sigemptyset(&action.sa_mask);
    for (std::size_t i = 0; i < kCrashes.size(); ++i) sigaction(kCrashes[i], &action, &before[i]);
    return true;
  }();
  static_cast<void>(handled);
}

}  // namespace

Reading::Reading(std::string_view file, std::string_view kind, std::string_view name, std::string_view owner) noexcept
    : file_(file), kind_(kind), name_(name), owner_(owner), outer_(innermost) {
  innermost = this;
  std::atomic_signal_fence(std::memory_order_seq_cst);
}
Reading::~Reading() {
  std::atomic_signal_fence(std::memory_order_seq_cst);
  innermost = outer_;
}

void report_crashes(const std::string& text, int rank) {
  speaks = false;
  speaker_length = std::min(text.size(), speaker.size());
  std::memcpy(speaker.data(), text.data(), speaker_length);
  speaking_rank = rank;
  speaks = true;
  handle_crashes();
}

void mark_told_crash(std::atomic<std::uint32_t>* mark) {
  // Known before MPI_Init, which sets the same variable under srun.
  static const bool by_mpirun = std::getenv("OMPI_COMM_WORLD_RANK") != nullptr;
  told_mark = by_mpirun ? mark : nullptr;
}

CrashReport::CrashReport(const RankLog& log, const Activity& activity) {
  watched = &activity;
  log_descriptor = log.descriptor();
  handle_crashes();
}

CrashReport::~CrashReport() { watched = nullptr; }

}  // namespace lockstep
