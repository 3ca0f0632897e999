#include "core/math/thread_team.h"

#include "core/math/onednn/library.h"
#include "core/math/subnormals.h"

namespace lockstep {
namespace {

thread_local int number = 0;

void relax() {
#if defined(__x86_64__)
  __builtin_ia32_pause();
#endif
}

}  // namespace

int grain_thread() { return number; }

std::uint32_t ThreadTeam::Signal::changed(std::uint32_t old) {
  constexpr int kSpins = 4000;  // of some 40 to 140 cycles
  for (int spin = 0; spin < kSpins; ++spin) {
    if (const std::uint32_t now = value.load(std::memory_order_acquire); now != old) return now;
    relax();
  }
  // Either add() sees the sleeper or the sleeper the new value: both sides write first and read then, in one order for all threads.
  sleepers.fetch_add(1);
  value.wait(old);
  sleepers.fetch_sub(1);
  return value.load(std::memory_order_acquire);
}

std::uint32_t ThreadTeam::Signal::add(std::uint32_t more) {
  const std::uint32_t before = value.fetch_add(more);
  if (sleepers.load() != 0) value.notify_all();  // a system call, even where nobody sleeps
  return before;
}

ThreadTeam& ThreadTeam::of_this_thread() {
  thread_local ThreadTeam team;
  return team;
}

ThreadTeam::~ThreadTeam() {
  ending_ = true;
  round_.add(1);
  for (std::thread& thread : threads_) thread.join();
}

void ThreadTeam::grow(int threads) {
  const std::uint32_t round = round_.value.load(std::memory_order_relaxed);
  while (static_cast<int>(threads_.size()) + 1 < threads) {
    const int thread = static_cast<int>(threads_.size()) + 1;
    threads_.emplace_back([this, thread, round] { serve(thread, round); });
  }
}

void ThreadTeam::run(int threads, void (*task)(void*, int), void* context) {
  grow(threads);
  task_ = task;
  context_ = context;
  wanted_ = threads;
  busy_.value.store(static_cast<std::uint32_t>(threads_.size()), std::memory_order_relaxed);
  round_.add(1);
  task(context, 0);
  for (std::uint32_t left = busy_.value.load(std::memory_order_acquire); left != 0;) left = busy_.changed(left);
}

void ThreadTeam::serve(int thread, std::uint32_t seen) {
  number = thread;
  const ThreadScope one(1);  // for oneDNN, which would start threads of its own
  const NoSubnormals none;
  for (;;) {
    seen = round_.changed(seen);
    if (ending_) return;
    if (thread < wanted_) task_(context_, thread);
    busy_.add(std::uint32_t(-1));
  }
}

}  // namespace lockstep
