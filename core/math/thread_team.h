#pragma once
#include <atomic>
#include <cstdint>
#include <exception>
#include <thread>
#include <vector>

namespace lockstep {

/// The threads that share a rank's work with the one that calls. They spin for some 100 us after their last work, since the next is mostly
/// near, and sleep then: a core that other programs want is given away at once. (OpenMP's threads spin for milliseconds in such a case, and
/// every one of a step's ten barriers costs a time slice.)
class ThreadTeam {
 public:
  /// Of the calling thread; threads are started when they are first asked for and end with it.
  static ThreadTeam& of_this_thread();

  ThreadTeam() = default;
  ~ThreadTeam();
  ThreadTeam(const ThreadTeam&) = delete;
  ThreadTeam& operator=(const ThreadTeam&) = delete;

  /// Calls task(context, t) for t in [0, threads), each in a thread of its own, 0 in the calling one; returns when all have. The task must
  /// not throw and not call run().
  void run(int threads, void (*task)(void* context, int thread), void* context);

 private:
  /// A number that threads wait for to change.
  struct alignas(64) Signal {
    std::atomic<std::uint32_t> value{0}, sleepers{0};
    std::uint32_t changed(std::uint32_t old);  ///< returns what it is once that is not `old`
    std::uint32_t add(std::uint32_t more);     ///< returns what it was, and wakes who sleeps
  };
  void grow(int threads);
  void serve(int thread, std::uint32_t seen);

  std::vector<std::thread> threads_;  // numbers 1, 2, ..
  Signal round_, busy_;
  alignas(64) void (*task_)(void*, int) = nullptr;  // lines of their own: what is written must not wait for those who look at a signal
  void* context_ = nullptr;
  int wanted_ = 0;
  bool ending_ = false;
};

/// Number of the calling thread inside for_each_grain, from 0.
int grain_thread();

/// The first of `count` numbers that thread `thread` of `threads` gets; the lowest threads, which are the first to begin, get one more
/// where it does not come out even.
constexpr std::int64_t first_of_share(std::int64_t count, int threads, int thread) {
  const std::int64_t more = count % threads;
  return count / threads * thread + (thread < more ? thread : more);
}

/// Calls work(i) for i in [0, count), spread over `threads` threads in runs of i that differ by one at most; the first exception is thrown
/// again here.
template <class Work>
void for_each_grain(int threads, std::int64_t count, const Work& work) {
  if (threads <= 1 || count <= 1) {
    for (std::int64_t i = 0; i < count; ++i) work(i);
    return;
  }
  struct Share {
    const Work& work;
    std::int64_t count;
    int threads;
    std::exception_ptr error = {};
    std::atomic_flag failed = {};
  } share{work, count, threads};
  ThreadTeam::of_this_thread().run(
      threads,
      [](void* context, int thread) {
        Share& mine = *static_cast<Share*>(context);
        try {
          const std::int64_t last = first_of_share(mine.count, mine.threads, thread + 1);
          for (std::int64_t i = first_of_share(mine.count, mine.threads, thread); i < last; ++i) mine.work(i);
        } catch (...) {
          if (!mine.failed.test_and_set()) mine.error = std::current_exception();
        }
      },
      &share);
  if (share.error) std::rethrow_exception(share.error);
}

}  // namespace lockstep
