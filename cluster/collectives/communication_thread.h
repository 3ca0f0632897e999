#pragma once
#include <atomic>
#include <cstddef>
#include <cstdint>
#include <exception>
#include <functional>
#include <thread>

namespace lockstep {

/// A thread that works off numbered pieces of work in order, for communication beside computing. It sleeps while there are none.
/// hand_over() and wait() neither lock nor allocate.
class CommunicationThread {
 public:
  /// Whether MPI lets two threads communicate at a time (MPI_THREAD_MULTIPLE).
  static bool allowed();
  /// work(n, stop) does piece n = 0, 1, 2, ...; it returns early when `stop` becomes true.
  using Work = std::function<void(std::uint64_t, const std::atomic<bool>&)>;
  explicit CommunicationThread(Work work);
  /// What is not done is given up: only an exception leaves anything.
  ~CommunicationThread();
  CommunicationThread(const CommunicationThread&) = delete;
  CommunicationThread& operator=(const CommunicationThread&) = delete;

  /// The next piece may be worked on.
  void hand_over();
  /// Until all pieces handed over are done; throws what the work has thrown.
  void wait();

 private:
  void run();

  Work work_;
  std::atomic<std::uint64_t> handed_{0}, done_{0};
  std::atomic<bool> stop_{false}, failed_{false};
  std::exception_ptr error_;
  std::thread thread_;
};

}  // namespace lockstep
