#include "cluster/coordinator/heartbeat.h"

#include <grpcpp/grpcpp.h>
#include <unistd.h>

#include <algorithm>
#include <fstream>
#include <utility>

#include "cluster/coordinator/coordinator.grpc.pb.h"
#include "cluster/coordinator/messages.h"
#include "cluster/status/status_board.h"
#include "cluster/watchdog/watchdog.h"

namespace lockstep {
namespace {

// Second number of /proc/self/statm: resident pages. 0 where there is no such file.
std::int64_t resident_bytes() {
  std::ifstream file("/proc/self/statm");
  std::int64_t total = 0, resident = 0;
  file >> total >> resident;
  return resident * sysconf(_SC_PAGESIZE);
}

RankStatus rank_status(int rank, const std::string& host, const StatusBoard& board) {
  RankStatus status;
  status.rank = rank;
  status.host = host;
  status.pid = getpid();
  const Progress progress = board.progress();
  status.epoch = progress.epoch;
  status.step = progress.global_step;
  status.phase = board.phase();
  status.rss_bytes = resident_bytes();
  status.time = std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count();
  return status;
}

}  // namespace

HeartbeatSender::HeartbeatSender(int rank, std::string host, const StatusBoard& board, CoordinatorEndpoint endpoint,
                                 std::chrono::milliseconds interval, Watchdog* watchdog)
    : rank_(rank),
      host_(std::move(host)),
      board_(board),
      endpoint_(std::move(endpoint)),
      interval_(interval),
      watchdog_(watchdog),
      thread_([this] { loop(); }) {
  if (watchdog_ == nullptr) return;
  const auto send_now = [this] {
    const std::lock_guard lock(mutex_);
    news_ = true;
    ended_.notify_all();
  };
  watchdog_->on_news(send_now, std::chrono::duration<double>(interval).count());
}

HeartbeatSender::~HeartbeatSender() {
  if (watchdog_ != nullptr) watchdog_->on_news(nullptr, std::chrono::duration<double>(interval_).count());
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
    if (call_ != nullptr) call_->TryCancel();
  }
  ended_.notify_all();
  thread_.join();
}

void HeartbeatSender::loop() try {
  const auto stub = v1::Coordinator::NewStub(make_channel(endpoint_));
  const auto patience = std::clamp<std::chrono::milliseconds>(2 * interval_, std::chrono::seconds(2), std::chrono::seconds(10));
  std::unique_lock lock(mutex_);
  while (!ending_) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + patience);
    add_token(context, endpoint_.token);
    call_ = &context;
    news_ = false;
    lock.unlock();
    v1::HeartbeatRequest request = to_heartbeat(rank_status(rank_, host_, board_));
    if (watchdog_ != nullptr) add_heartbeat(watchdog_->heartbeat(), &request);
    v1::HeartbeatReply reply;
    // A call that fails has told all there is to tell: the coordinator's table shows the growing age.
    const bool reached = stub->Heartbeat(&context, request, &reply).ok();
    if (reached && watchdog_ != nullptr) watchdog_->answered(reply_of(reply));
    lock.lock();
    call_ = nullptr;
    ended_.wait_for(lock, interval_, [this] { return ending_ || news_; });
  }
} catch (const std::exception&) {
  // Out of memory, say: training goes on without heartbeats.
}

}  // namespace lockstep
