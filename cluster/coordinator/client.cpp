#include "cluster/coordinator/client.h"

#include <grpcpp/grpcpp.h>
#include <signal.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <charconv>
#include <utility>

#include "cluster/coordinator/channel.h"
#include "cluster/coordinator/coordinator.grpc.pb.h"
#include "cluster/coordinator/credentials.h"
#include "cluster/coordinator/messages.h"
#include "cluster/coordinator/record.h"
#include "cluster/error.h"
#include "cluster/network/addresses.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
constexpr std::chrono::seconds kPatience{10};

std::string this_host() {
  std::array<char, 256> name{};
  return gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "";
}

[[noreturn]] void throw_ended(const fs::path& run_dir, const CoordinatorRecord& record) {
  throw Error("run " + record.phase + " (" + record.reason + "); see " + (run_dir / "result.json").string());
}

// The parts of HOST:PORT or [V6]:PORT; an Error names what is wrong.
std::pair<std::string, int> split_host_port(const std::string& text) {
  const std::size_t colon = text.rfind(':');
  int port = 0;
  if (colon != std::string::npos && colon > 0) {
    const char* end = text.data() + text.size();
    const auto [stop, error] = std::from_chars(text.data() + colon + 1, end, port);
    if (error != std::errc() || stop != end) port = 0;
  }
  if (port < 1 || port > 65535) throw Error("'" + text + "' is not HOST:PORT with a port from 1 to 65535", kUsage);
  std::string host = text.substr(0, colon);
  if (host.starts_with('[') && host.ends_with(']')) host = host.substr(1, host.size() - 2);
  return {host, port};
}

}  // namespace

struct CoordinatorClient::Impl {
  explicit Impl(CoordinatorEndpoint reached) : endpoint(std::move(reached)), stub(v1::Coordinator::NewStub(make_channel(endpoint))) {}

  std::unique_ptr<grpc::ClientContext> context(bool has_deadline = true) const {
    auto made = std::make_unique<grpc::ClientContext>();
    if (has_deadline) made->set_deadline(std::chrono::system_clock::now() + kPatience);
    add_token(*made, endpoint.token);
    return made;
  }

  template <typename Reply, typename Method, typename Request>
  Reply call(Method method, const Request& request, bool has_deadline = true) const {
    Reply reply;
    const auto made = context(has_deadline);
    check((stub.get()->*method)(made.get(), request, &reply));
    return reply;
  }

  void check(const grpc::Status& status) const {
    const std::string server = "the coordinator at " + endpoint.addresses.front();
    switch (status.error_code()) {
      case grpc::StatusCode::OK: return;
      case grpc::StatusCode::UNAUTHENTICATED:
        throw Error("token refused: " + server + " belongs to another run, or the token is not its own; name the run directory, or set " +
                    "LOCKSTEP_TOKEN or --token-file to the token in its coordinator.json");
      case grpc::StatusCode::CANCELLED:  // what a server that is just going away answers
      case grpc::StatusCode::UNAVAILABLE: throw Error(server + " cannot be reached: " + why_unreachable(status.error_message()));
      case grpc::StatusCode::DEADLINE_EXCEEDED:
        throw Error(server + " did not answer within " + std::to_string(kPatience.count()) +
                    " s; try again, or see whether rank 0 still runs");
      case grpc::StatusCode::UNIMPLEMENTED: throw Error(server + " does not know this call: no coordinator, or one of another version");
      default: throw Error(status.error_message());
    }
  }

  // For a stream that ended without a final status: whether the record in the run directory has the end, which then completes `status`.
  bool add_end(Status& status) const {
    if (run_dir.empty()) return false;
    const CoordinatorRecord record = read_record(run_dir);
    if (!record.ended) return false;
    status.phase = record.phase == phase_name(Phase::finished) ? Phase::finished : Phase::failed;
    status.reason = record.reason;
    return true;
  }

  // The record may tell more than the network: the run may have ended since it was read, or its process may be gone.
  std::string why_unreachable(const std::string& message) const {
    if (!run_dir.empty()) {
      const CoordinatorRecord now = read_record(run_dir);
      if (now.ended) throw_ended(run_dir, now);
      if (now.host == this_host() && kill(static_cast<pid_t>(now.pid), 0) != 0 && errno == ESRCH) {
        return "its process (pid " + std::to_string(now.pid) + " on " + now.host +
               ") is gone; the run was killed and left no reason; `lockstep train --resume` goes on from its last checkpoint";
      }
    }
    const std::string& address = endpoint.addresses.front();
    const bool on_this_host = address.starts_with("unix:") || address.starts_with("127.") || address.starts_with("[::1]");
    return message + "; see whether the run is still there" + (on_this_host ? " and is this user's" : "") +
           (endpoint.certificate.empty() ? "" : " and the certificate is its own");
  }

  CoordinatorEndpoint endpoint;
  fs::path run_dir;  // empty: reached by HOST:PORT
  std::string warning;
  std::unique_ptr<v1::Coordinator::Stub> stub;
};

CoordinatorClient::CoordinatorClient(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
CoordinatorClient::~CoordinatorClient() = default;
CoordinatorClient::CoordinatorClient(CoordinatorClient&&) noexcept = default;

CoordinatorClient CoordinatorClient::of_run(const fs::path& run_dir) {
  const CoordinatorRecord record = read_record(run_dir);
  if (record.ended) throw_ended(run_dir, record);
  CoordinatorEndpoint endpoint{{record.address}, "", record.token};
  if (record.host != this_host()) {
    if (record.remote.empty()) {
      throw Error("the coordinator of " + run_dir.string() + " listens on " + record.host + " alone: run this command there (ssh " +
                  record.host + " ...), or start the run with a listen address that other hosts can reach");
    }
    endpoint = {record.remote, record.certificate, record.token};
  }
  auto impl = std::make_unique<Impl>(std::move(endpoint));
  impl->run_dir = run_dir;
  impl->warning = record_permission_warning(run_dir);
  return CoordinatorClient(std::move(impl));
}

CoordinatorClient CoordinatorClient::at(const std::string& host_port, const std::string& token, const std::string& certificate,
                                        bool insecure) {
  const auto [host, port] = split_host_port(host_port);
  if (token.empty()) {
    throw Error("no token for " + host_port + ": set LOCKSTEP_TOKEN or --token-file to the one in the run's coordinator.json, or name " +
                    "the run directory instead",
                kUsage);
  }
  const std::string address = resolve(host);
  if (!is_loopback(address) && certificate.empty() && !insecure) {
    throw Error("without TLS the token would cross the network in the clear: give the run's certificate (--certificate FILE), or say " +
                    std::string("--insecure"),
                kUsage);
  }
  return CoordinatorClient(std::make_unique<Impl>(CoordinatorEndpoint{{join_host_port(address, port)}, certificate, token}));
}

const std::string& CoordinatorClient::warning() const { return impl_->warning; }

Status CoordinatorClient::status() const {
  return from_message(impl_->call<v1::Status>(&v1::Coordinator::Stub::GetStatus, v1::GetStatusRequest()));
}

std::vector<EpochRecord> CoordinatorClient::history() const {
  std::vector<EpochRecord> records;
  const auto reply = impl_->call<v1::History>(&v1::Coordinator::Stub::GetHistory, v1::GetHistoryRequest());
  for (const v1::EpochRecord& record : reply.epochs()) records.push_back(from_message(record));
  return records;
}

std::vector<CheckpointInfo> CoordinatorClient::checkpoints() const {
  std::vector<CheckpointInfo> checkpoints;
  const auto reply = impl_->call<v1::CheckpointList>(&v1::Coordinator::Stub::ListCheckpoints, v1::ListCheckpointsRequest());
  for (const v1::Checkpoint& checkpoint : reply.checkpoints()) checkpoints.push_back(from_message(checkpoint));
  return checkpoints;
}

Status CoordinatorClient::watch(std::chrono::milliseconds interval, const std::function<bool(const Status&)>& seen) const {
  v1::WatchStatusRequest request;
  request.set_interval_ms(static_cast<std::uint32_t>(interval.count()));
  const auto context = impl_->context(false);
  const auto reader = impl_->stub->WatchStatus(context.get(), request);
  v1::Status message;
  Status last;
  while (reader->Read(&message)) {
    last = from_message(message);
    if (seen(last)) continue;
    context->TryCancel();
    static_cast<void>(reader->Finish());
    return last;
  }
  const grpc::Status status = reader->Finish();
  if (is_final(last.phase) || impl_->add_end(last)) return last;  // all has been said, even if the server was gone before it could say OK
  impl_->check(status);
  return last;
}

std::optional<CheckpointInfo> CoordinatorClient::save_checkpoint(bool wait) const {
  v1::SaveCheckpointRequest request;
  request.set_wait(wait);
  const auto reply = impl_->call<v1::SaveCheckpointReply>(&v1::Coordinator::Stub::SaveCheckpoint, request, !wait);
  if (!reply.has_checkpoint()) return std::nullopt;
  return from_message(reply.checkpoint());
}

void CoordinatorClient::stop(const std::string& message, bool with_checkpoint) const {
  v1::StopRequest request;
  request.set_message(message);
  request.set_checkpoint(with_checkpoint);
  const auto reply = impl_->call<v1::StopReply>(&v1::Coordinator::Stub::Stop, request);
  if (!reply.accepted()) throw Error("the run has already ended (" + reply.reason() + ")");
}

}  // namespace lockstep
