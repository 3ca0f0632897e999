#include "cluster/collectives/communication_thread.h"

#include <mpi.h>

namespace lockstep {

bool CommunicationThread::allowed() {
  int level = MPI_THREAD_SINGLE;
  MPI_Query_thread(&level);
  return level == MPI_THREAD_MULTIPLE;
}

CommunicationThread::CommunicationThread(Work work) : work_(std::move(work)), thread_([this] { run(); }) {}

CommunicationThread::~CommunicationThread() {
  stop_ = true;
  handed_.fetch_add(1);
  handed_.notify_one();
  thread_.join();
}

void CommunicationThread::hand_over() {
  handed_.fetch_add(1, std::memory_order_release);
  handed_.notify_one();
}

void CommunicationThread::wait() {
  const std::uint64_t all = handed_.load(std::memory_order_relaxed);
  for (std::uint64_t done = 0; (done = done_.load(std::memory_order_acquire)) != all;) {
    if (failed_) std::rethrow_exception(error_);
    done_.wait(done, std::memory_order_acquire);
  }
  if (failed_) std::rethrow_exception(error_);
}

void CommunicationThread::run() {
  for (std::uint64_t next = 0;; ++next) {
    while (handed_.load(std::memory_order_acquire) == next) handed_.wait(next, std::memory_order_acquire);
    if (stop_) return;
    try {
      if (!failed_) work_(next, stop_);
    } catch (...) {
      error_ = std::current_exception();
      failed_ = true;
    }
    done_.fetch_add(1, std::memory_order_release);
    done_.notify_one();
  }
}

}  // namespace lockstep
