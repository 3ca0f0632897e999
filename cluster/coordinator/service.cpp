#include "cluster/coordinator/service.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <chrono>

#include "cluster/coordinator/auth.h"
#include "cluster/coordinator/coordinator.grpc.pb.h"
#include "cluster/coordinator/messages.h"
#include "cluster/coordinator/waiting_calls.h"
#include "cluster/status/rank_table.h"
#include "cluster/status/status_board.h"
#include "cluster/watchdog/watchdog.h"

namespace lockstep {
namespace {

using std::chrono::milliseconds;

constexpr milliseconds kSlice{50};  // how late a waiting handler sees that its client or the run has gone

grpc::Status too_many() {
  return {grpc::StatusCode::RESOURCE_EXHAUSTED, "too many clients watch or wait (" + std::to_string(WaitingCalls::kMost) + "); end one"};
}

class CoordinatorService final : public v1::Coordinator::Service {
 public:
  CoordinatorService(StatusBoard& board, RankTable& ranks, const std::string& token, WaitingCalls& calls, Watchdog* watchdog)
      : board_(board), ranks_(ranks), token_(token), calls_(calls), watchdog_(watchdog) {}

  grpc::Status GetStatus(grpc::ServerContext* context, const v1::GetStatusRequest*, v1::Status* reply) override {
    if (!is_allowed(*context)) return refused();
    *reply = status();
    return grpc::Status::OK;
  }

  grpc::Status WatchStatus(grpc::ServerContext* context, const v1::WatchStatusRequest* request,
                           grpc::ServerWriter<v1::Status>* writer) override {
    if (!is_allowed(*context)) return refused();
    const WaitingCalls::Call call(calls_);
    if (!call.admitted()) return too_many();
    const milliseconds interval(request->interval_ms() == 0 ? 500 : std::clamp<std::uint32_t>(request->interval_ms(), 50, 3'600'000));
    for (bool last = false; !last;) {
      last = is_final(board_.phase()) || calls_.ending();
      if (!writer->Write(status())) break;
      if (!last && !wait(*context, interval)) break;
    }
    return grpc::Status::OK;
  }

  grpc::Status GetHistory(grpc::ServerContext* context, const v1::GetHistoryRequest*, v1::History* reply) override {
    if (!is_allowed(*context)) return refused();
    for (const EpochRecord& record : board_.history()) *reply->add_epochs() = to_message(record);
    return grpc::Status::OK;
  }

  grpc::Status ListCheckpoints(grpc::ServerContext* context, const v1::ListCheckpointsRequest*, v1::CheckpointList* reply) override {
    if (!is_allowed(*context)) return refused();
    for (const CheckpointInfo& checkpoint : board_.checkpoints()) *reply->add_checkpoints() = to_message(checkpoint);
    return grpc::Status::OK;
  }

  grpc::Status SaveCheckpoint(grpc::ServerContext* context, const v1::SaveCheckpointRequest* request,
                              v1::SaveCheckpointReply* reply) override {
    if (!is_allowed(*context)) return refused();
    const WaitingCalls::Call call(calls_);
    const bool shall_wait = !request->has_wait() || request->wait();
    if (shall_wait && !call.admitted()) return too_many();
    const std::uint64_t ticket = board_.request_checkpoint();
    CheckpointOutcome outcome = board_.wait_for_checkpoint(ticket, milliseconds(0));
    while (shall_wait && outcome.state == CheckpointOutcome::State::pending) {
      if (context->IsCancelled()) return {grpc::StatusCode::CANCELLED, "the client has gone; the checkpoint is written all the same"};
      if (calls_.ending()) return {grpc::StatusCode::FAILED_PRECONDITION, "the run ended before the checkpoint was written"};
      outcome = board_.wait_for_checkpoint(ticket, kSlice);
    }
    if (outcome.state == CheckpointOutcome::State::failed) return {grpc::StatusCode::FAILED_PRECONDITION, outcome.reason};
    if (outcome.state == CheckpointOutcome::State::written) *reply->mutable_checkpoint() = to_message(outcome.checkpoint);
    return grpc::Status::OK;
  }

  grpc::Status Stop(grpc::ServerContext* context, const v1::StopRequest* request, v1::StopReply* reply) override {
    if (!is_allowed(*context)) return refused();
    const bool with_checkpoint = !request->has_checkpoint() || request->checkpoint();
    reply->set_accepted(board_.request_stop(request->message(), with_checkpoint));
    if (!reply->accepted()) reply->set_reason(board_.reason());
    return grpc::Status::OK;
  }

  grpc::Status Heartbeat(grpc::ServerContext* context, const v1::HeartbeatRequest* request, v1::HeartbeatReply* reply) override {
    if (!is_allowed(*context)) return refused();
    if (!ranks_.update(from_heartbeat(*request))) {
      return {grpc::StatusCode::INVALID_ARGUMENT, "this run has no rank " + std::to_string(request->rank())};
    }
    if (watchdog_ != nullptr) set_reply(watchdog_->heard(heartbeat_of(*request)), reply);
    if (request->rank() == 0) board_.snapshot();  // keeps the rates' window filled while nobody watches
    return grpc::Status::OK;
  }

 private:
  bool is_allowed(const grpc::ServerContext& context) const { return carries_token(context.client_metadata(), token_); }
  static grpc::Status refused() { return {grpc::StatusCode::UNAUTHENTICATED, kTokenRefused}; }

  v1::Status status() {
    Status now = board_.snapshot();
    now.ranks = ranks_.rows();
    return to_message(now);
  }

  // True after the interval, or earlier when the run has ended; false when the client has gone.
  bool wait(const grpc::ServerContext& context, milliseconds interval) {
    const auto end = std::chrono::steady_clock::now() + interval;
    while (std::chrono::steady_clock::now() < end) {
      if (context.IsCancelled()) return false;
      const auto left = std::chrono::duration_cast<milliseconds>(end - std::chrono::steady_clock::now());
      if (calls_.ending() || board_.wait_for_end(std::min(kSlice, left))) return true;
    }
    return true;
  }

  StatusBoard& board_;
  RankTable& ranks_;
  const std::string token_;
  WaitingCalls& calls_;
  Watchdog* const watchdog_;
};

}  // namespace

std::shared_ptr<grpc::Service> make_coordinator_service(StatusBoard& board, RankTable& ranks, const std::string& token, WaitingCalls& calls,
                                                        Watchdog* watchdog) {
  return std::make_shared<CoordinatorService>(board, ranks, token, calls, watchdog);
}

}  // namespace lockstep
