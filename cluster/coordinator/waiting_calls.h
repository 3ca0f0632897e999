#pragma once
#include <atomic>
#include <chrono>
#include <condition_variable>
#include <mutex>

namespace lockstep {

/// The calls to a server that wait for something (streams, a checkpoint being written): how many there are, and that they shall end.
class WaitingCalls {
 public:
  /// Each of them holds a thread of the server, which has some more for calls that do not wait.
  static constexpr int kMost = 32;

  /// One call, counted while this object lives.
  class Call {
   public:
    explicit Call(WaitingCalls& calls) : calls_(calls), admitted_(calls.enter()) {}
    ~Call() {
      if (admitted_) calls_.leave();
    }
    Call(const Call&) = delete;
    Call& operator=(const Call&) = delete;
    /// False if there are kMost already.
    bool admitted() const { return admitted_; }

   private:
    WaitingCalls& calls_;
    const bool admitted_;
  };

  bool ending() const { return ending_; }
  /// Asks all calls to end and waits until they have, but not longer than `patience`.
  void end(std::chrono::milliseconds patience) {
    ending_ = true;
    std::unique_lock lock(mutex_);
    left_.wait_for(lock, patience, [this] { return count_ == 0; });
  }

 private:
  bool enter() {
    const std::lock_guard lock(mutex_);
    if (count_ == kMost) return false;
    ++count_;
    return true;
  }
  void leave() {
    const std::lock_guard lock(mutex_);
    --count_;
    left_.notify_all();
  }

  std::atomic<bool> ending_{false};
  std::mutex mutex_;
  std::condition_variable left_;
  int count_ = 0;
};

}  // namespace lockstep
