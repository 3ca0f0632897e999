#include "cluster/watchdog/deadline.h"

#include <unistd.h>

#include <chrono>
#include <cstdio>

#include "cluster/error.h"

namespace lockstep {

namespace {

void say(const std::string& message, const char* more) {
  std::fprintf(stderr, "%s%s\n", message.c_str(), more);
  std::fflush(stderr);
}

}  // namespace

Deadline::Deadline(double patience, std::optional<double> end, std::string message)
    : thread_([this, patience, end, message = std::move(message)] {
        using Seconds = std::chrono::duration<double>;
        const auto start = std::chrono::steady_clock::now();
        const auto met = [this] { return met_; };
        std::unique_lock lock(mutex_);
        if (changed_.wait_until(lock, start + Seconds(patience), met)) return;
        say(message, "; waiting");
        if (!end) return;
        if (changed_.wait_until(lock, start + Seconds(*end), met)) return;
        say(message, "; ending");
        _exit(kFailed);
      }) {}

Deadline::~Deadline() {
  {
    const std::lock_guard lock(mutex_);
    met_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

}  // namespace lockstep
