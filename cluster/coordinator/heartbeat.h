#pragma once
#include <chrono>
#include <condition_variable>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "cluster/coordinator/channel.h"

namespace grpc {
class ClientContext;
}

namespace lockstep {

class StatusBoard;
class Watchdog;

/// Sends a rank's heartbeats from a thread of its own, the first one at once. A coordinator that does not answer is tried again at the
/// next interval; nothing of it reaches the caller.
class HeartbeatSender {
 public:
  /// `board` and `watchdog` outlive the sender.
  HeartbeatSender(int rank, std::string host, const StatusBoard& board, CoordinatorEndpoint endpoint, std::chrono::milliseconds interval,
                  Watchdog* watchdog = nullptr);
  /// Ends a call in flight.
  ~HeartbeatSender();
  HeartbeatSender(const HeartbeatSender&) = delete;
  HeartbeatSender& operator=(const HeartbeatSender&) = delete;

 private:
  void loop();

  const int rank_;
  const std::string host_;
  const StatusBoard& board_;
  const CoordinatorEndpoint endpoint_;
  const std::chrono::milliseconds interval_;
  Watchdog* const watchdog_;

  std::mutex mutex_;
  std::condition_variable ended_;
  bool ending_ = false, news_ = false;
  grpc::ClientContext* call_ = nullptr;  // in flight
  std::thread thread_;                   // last: it uses all of the above
};

}  // namespace lockstep
