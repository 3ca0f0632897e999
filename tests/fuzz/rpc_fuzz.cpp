// RPC messages. The first byte chooses the method, the rest are the bytes of the request: they go through gRPC's own parsing to the
// service's handlers, over a channel inside the process. The same bytes are also read as the messages that only clients get.
#include <google/protobuf/stubs/logging.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>

#include <array>

#include "cluster/coordinator/coordinator.pb.h"
#include "cluster/coordinator/messages.h"
#include "cluster/coordinator/service.h"
#include "cluster/coordinator/waiting_calls.h"
#include "cluster/status/rank_table.h"
#include "cluster/status/status_board.h"
#include "cluster/watchdog/watchdog.h"
#include "cluster/world.h"
#include "support/fuzz_target.h"

namespace lockstep::testing {
namespace {

constexpr std::array kMethods{"Heartbeat",       "GetStatus",      "WatchStatus", "GetHistory",
                              "ListCheckpoints", "SaveCheckpoint", "Stop",        "NoSuchMethod"};

/// A run of one rank, whose calls that wait end at once.
class Service {
 public:
  Service() : ranks_(1), service_(make_coordinator_service(board_, ranks_, "token", calls_, &watchdog_)) {
    google::protobuf::SetLogHandler(nullptr);  // texts that are no UTF-8
    board_.start(RunInfo{});
    calls_.end(std::chrono::milliseconds(0));
    grpc::ServerBuilder builder;
    builder.RegisterService(service_.get());
    server_ = builder.BuildAndStart();
    stub_ = std::make_unique<grpc::GenericStub>(server_->InProcessChannel({}));
  }

  void call(std::string_view input) {
    grpc::ClientContext context;
    context.AddMetadata("authorization", "Bearer token");
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(30));
    const grpc::Slice slice(input.data() + 1, input.size() - 1);
    grpc::CompletionQueue queue;
    const std::string method = std::string("/lockstep.v1.Coordinator/") + kMethods[static_cast<unsigned char>(input[0]) % kMethods.size()];
    const auto call = stub_->PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue);
    call->StartCall();
    grpc::ByteBuffer reply;
    grpc::Status status;
    call->Finish(&reply, &status, nullptr);
    void* tag = nullptr;
    bool ok = false;
    queue.Next(&tag, &ok);
    if (status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) std::abort();  // a handler that hangs
  }

 private:
  World world_;
  StatusBoard board_;
  RankTable ranks_;
  WaitingCalls calls_;
  Watchdog watchdog_{world_, {}};
  std::shared_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
  std::unique_ptr<grpc::GenericStub> stub_;
};

template <class Message, class Read>
void parse(std::string_view bytes, const Read& read) {
  Message message;
  if (message.ParseFromArray(bytes.data(), static_cast<int>(bytes.size()))) read(message);
}

}  // namespace

std::vector<std::string> fuzz_seeds() {
  RankStatus rank;
  rank.rank = 0;
  rank.host = "h1";
  rank.step = 7;
  v1::HeartbeatRequest heartbeat = to_heartbeat(rank);
  add_heartbeat({RankState{}, {RankState{}}}, &heartbeat);
  v1::StopRequest stop;
  stop.set_message("enough");
  Status status;
  status.run.name = "run";
  status.ranks = {rank};
  status.metrics = {{"loss", 0.5}};
  return {std::string(1, '\0') + heartbeat.SerializeAsString(), "\1", "\3", "\4", "\5", "\6" + stop.SerializeAsString(),
          "\7" + to_message(status).SerializeAsString()};
}

}  // namespace lockstep::testing

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace lockstep;
  if (size == 0) return 0;
  static testing::Service service;
  const std::string_view input = testing::as_text(data, size), message = input.substr(1);
  service.call(input);
  testing::parse<v1::Status>(message, [](const v1::Status& m) { to_message(from_message(m)); });
  testing::parse<v1::EpochRecord>(message, [](const v1::EpochRecord& m) { to_message(from_message(m)); });
  testing::parse<v1::Checkpoint>(message, [](const v1::Checkpoint& m) { to_message(from_message(m)); });
  testing::parse<v1::HeartbeatReply>(message, [](const v1::HeartbeatReply& m) { reply_of(m); });
  return 0;
}
