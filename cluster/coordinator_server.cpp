#include "cluster/coordinator_server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <utility>

#include "cluster/coordinator.grpc.pb.h"
#include "cluster/coordinator_auth.h"
#include "cluster/coordinator_service.h"
#include "cluster/credentials.h"
#include "cluster/error.h"
#include "cluster/network.h"

namespace lockstep {
namespace {

constexpr int kThreadsMost = WaitingCalls::kMost + 16;  // so that heartbeats always find one

// Linking gRPC's reflection library adds it to every server of the process: this says whether one server has it.
class Reflection final : public grpc::ServerBuilderOption {
 public:
  explicit Reflection(bool wanted) : wanted_(wanted) {}
  void UpdateArguments(grpc::ChannelArguments*) override {}
  void UpdatePlugins(std::vector<std::unique_ptr<grpc::ServerBuilderPlugin>>* plugins) override {
    auto own = std::make_unique<grpc::reflection::ProtoServerReflectionPlugin>();
    std::erase_if(*plugins, [&](const auto& plugin) { return plugin->name() == own->name(); });
    if (wanted_) plugins->push_back(std::move(own));
  }

 private:
  const bool wanted_;
};

std::shared_ptr<grpc::ServerCredentials> with_token(std::shared_ptr<grpc::ServerCredentials> credentials, const std::string& token) {
  credentials->SetAuthMetadataProcessor(make_token_processor(token));
  return credentials;
}

std::shared_ptr<grpc::ServerCredentials> tls(const Certificate& certificate) {
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({certificate.key, certificate.certificate});
  return grpc::SslServerCredentials(options);
}

// What clients may call this host: its name, all its addresses, and what the user called the address to listen on.
std::vector<std::string> names_of_host(const std::string& listen) {
  std::vector<std::string> names = interface_addresses();
  names.push_back(listen);
  std::array<char, 256> host{};
  if (gethostname(host.data(), host.size() - 1) == 0) names.emplace_back(host.data());
  return names;
}

}  // namespace

CoordinatorServer::CoordinatorServer(StatusBoard& board, int ranks, bool several_hosts, const CoordinatorOptions& options)
    : token_(make_token()), ranks_(ranks), service_(make_coordinator_service(board, ranks_, token_, calls_, options.watchdog)) {
  if (options.port < 0 || options.port > 65535) {
    throw Error("coordinator: port " + std::to_string(options.port) + " is not between 0 and 65535", kUsage);
  }
  std::vector<Listener> listeners = plan(several_hosts, options);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  builder.AddChannelArgument(GRPC_ARG_ALLOW_REUSEPORT, 0);  // else a second server on the port silently takes half of the calls
  // Keepalive pings, which clients may send every ten seconds, between calls as well. gRPC would take them for an attack.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.SetResourceQuota(grpc::ResourceQuota("coordinator").SetMaxThreads(kThreadsMost));
  listen(builder, listeners, options);
  builder.RegisterService(service_.get());
  server_ = builder.BuildAndStart();
  if (!server_) throw Error("coordinator: the gRPC server did not start on " + join_host_port(listeners[0].host, options.port));
  note_addresses(listeners);
  server_->GetHealthCheckService()->SetServingStatus(true);
  server_->GetHealthCheckService()->SetServingStatus(v1::Coordinator::service_full_name(), true);
}

CoordinatorServer::~CoordinatorServer() {
  server_->GetHealthCheckService()->SetServingStatus(false);
  calls_.end(std::chrono::seconds(2));
  // gRPC waits for every connection's other end to answer its farewell, and clients between two calls do not read. All that is left to do
  // is to send the trailers of the calls that just ended.
  server_->Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
  server_->Wait();
}

std::vector<CoordinatorServer::Listener> CoordinatorServer::plan(bool several_hosts, const CoordinatorOptions& options) const {
  const std::string host = resolve(options.listen);
  check_can_listen(host, options.port);
  std::vector<Listener> listeners;
  if (is_loopback(host)) {
    listeners.push_back({host, options.port, Listener::Use::loopback});
  } else {
    listeners.push_back({host, options.port, Listener::Use::user});
    listeners.push_back({"127.0.0.1", 0, Listener::Use::loopback});
  }
  if (several_hosts) {
    for (const std::string& address : interface_addresses()) listeners.push_back({address, 0, Listener::Use::ranks});
  }
  return listeners;
}

void CoordinatorServer::listen(grpc::ServerBuilder& builder, std::vector<Listener>& listeners, const CoordinatorOptions& options) {
  std::shared_ptr<grpc::ServerCredentials> secure;
  bool open = false;
  for (Listener& listener : listeners) {
    const std::string target = join_host_port(listener.host, listener.port);
    if (listener.use == Listener::Use::loopback) {
      // Local credentials put nothing on the wire, so that any plaintext client works; unlike insecure ones they take a processor.
      builder.AddListeningPort(target, with_token(grpc::experimental::LocalServerCredentials(LOCAL_TCP), token_), &listener.port);
    } else if (listener.use == Listener::Use::user && options.insecure) {
      builder.AddListeningPort(target, grpc::InsecureServerCredentials(), &listener.port);
      open = true;
    } else {
      if (!secure) {
        const Certificate certificate = make_certificate(kCertificateName, names_of_host(options.listen));
        certificate_ = certificate.certificate;
        secure = with_token(tls(certificate), token_);
      }
      builder.AddListeningPort(target, secure, &listener.port);
    }
  }
  // No processor guards an insecure port and the handlers' own check does not cover reflection: then there is none.
  builder.SetOption(std::make_unique<Reflection>(!open));
}

void CoordinatorServer::note_addresses(const std::vector<Listener>& listeners) {
  for (const Listener& listener : listeners) {
    const std::string address = join_host_port(listener.host, listener.port);
    switch (listener.use) {
      case Listener::Use::loopback: address_ = address; break;
      case Listener::Use::ranks: for_ranks_.push_back(address); break;
      case Listener::Use::user:
        if (!is_wildcard(listener.host)) {
          remote_.push_back(address);
          break;
        }
        for (const std::string& each : interface_addresses()) {
          if (listener.host == "::" || each.find(':') == std::string::npos) remote_.push_back(join_host_port(each, listener.port));
        }
        break;
    }
  }
}

}  // namespace lockstep
