#include "cluster/coordinator/server.h"

#include <grpcpp/ext/proto_server_reflection_plugin.h>
#include <grpcpp/grpcpp.h>
#include <grpcpp/health_check_service_interface.h>
#include <grpcpp/resource_quota.h>
#include <grpcpp/support/server_interceptor.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <future>
#include <thread>
#include <utility>

#include "cluster/coordinator/auth.h"
#include "cluster/coordinator/coordinator.grpc.pb.h"
#include "cluster/coordinator/credentials.h"
#include "cluster/coordinator/service.h"
#include "cluster/error.h"
#include "cluster/network/addresses.h"
#include "cluster/network/peer_user.h"

namespace lockstep {
namespace {

constexpr int kThreadsMost = WaitingCalls::kMost + kReflectionsMost + 16;  // so that heartbeats and control always find one
constexpr const char* kListenUnix = "unix";

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

CoordinatorServer::Served::Served(StatusBoard& board, int count, const std::string& token, Watchdog* watchdog)
    : ranks(count), proxy(count), service(make_coordinator_service(board, ranks, token, calls, watchdog)) {}

CoordinatorServer::CoordinatorServer(StatusBoard& board, int ranks, bool several_hosts, const CoordinatorOptions& options)
    : token_(make_token()), served_(std::make_unique<Served>(board, ranks, token_, options.watchdog)) {
  if (options.port < 0 || options.port > 65535) {
    throw Error("coordinator: port " + std::to_string(options.port) + " is not between 0 and 65535", kUsage);
  }
  std::vector<Listener> listeners = open_listeners(several_hosts, options);
  grpc::EnableDefaultHealthCheckService(true);
  grpc::ServerBuilder builder;
  // Clients may send a keepalive ping a second, between calls as well. By default gRPC takes so many for an attack.
  builder.AddChannelArgument(GRPC_ARG_KEEPALIVE_PERMIT_WITHOUT_CALLS, 1);
  builder.AddChannelArgument(GRPC_ARG_HTTP2_MIN_RECV_PING_INTERVAL_WITHOUT_DATA_MS, 1000);
  // What one connection may make the server hold.
  builder.AddChannelArgument(GRPC_ARG_MAX_CONCURRENT_STREAMS, 2 * WaitingCalls::kMost);
  builder.AddChannelArgument(GRPC_ARG_SERVER_HANDSHAKE_TIMEOUT_MS, 10000);
  builder.SetMaxReceiveMessageSize(1 << 20);  // a heartbeat that tells of all ranks of a large host has some tens of KB
  builder.SetSyncServerOption(grpc::ServerBuilder::NUM_CQS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MIN_POLLERS, 1);
  builder.SetSyncServerOption(grpc::ServerBuilder::MAX_POLLERS, 2);
  builder.SetResourceQuota(grpc::ResourceQuota("coordinator").SetMaxThreads(kThreadsMost));
  std::vector<std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface>> interceptors;
  interceptors.push_back(make_call_watch(token_, served_->proxy));
  builder.experimental().SetInterceptorCreators(std::move(interceptors));
  note_addresses(listeners);
  admit(builder, listeners, options);
  builder.RegisterService(served_->service.get());
  served_->server = builder.BuildAndStart();
  if (!served_->server) throw Error("coordinator: the gRPC server did not start");
  served_->server->GetHealthCheckService()->SetServingStatus(true);
  served_->server->GetHealthCheckService()->SetServingStatus(v1::Coordinator::service_full_name(), true);
  served_->proxy.start();
}

CoordinatorServer::~CoordinatorServer() {
  grpc::Server& server = *served_->server;
  server.GetHealthCheckService()->SetServingStatus(false);
  served_->proxy.stop_accepting();
  served_->calls.end(std::chrono::seconds(2));
  // gRPC waits for every connection's other end to answer its farewell, and clients between two calls do not read. All that is left to do
  // is to send the trailers of the calls that just ended; then the proxy closes the connections.
  std::promise<void> promise;
  std::future<void> down = promise.get_future();
  std::thread shutdown([&server, done = std::move(promise)]() mutable {
    server.Shutdown(std::chrono::system_clock::now() + std::chrono::milliseconds(100));
    server.Wait();
    done.set_value();
  });
  down.wait_for(std::chrono::milliseconds(150));
  const bool proxy_closed = served_->proxy.close();
  if (down.wait_for(std::chrono::seconds(3)) == std::future_status::ready && proxy_closed) {
    shutdown.join();
  } else {
    shutdown.detach();
    static_cast<void>(served_.release());
  }
}

std::vector<CoordinatorServer::Listener> CoordinatorServer::open_listeners(bool several_hosts, const CoordinatorOptions& options) {
  using Use = Listener::Use;
  std::vector<Listener> listeners;
  const auto add = [&](Use use, const std::string& host, int port) {
    Descriptor socket = listen_on(host, port);
    listeners.push_back({use, host, port, std::move(socket)});
  };
  if (options.listen == kListenUnix) {
    if (options.port != 0) throw Error("coordinator: a Unix socket has no port; leave coordinator.port out", kUsage);
    unix_.emplace();
    listeners.push_back({Use::own_user, "", 0, unix_->take()});
  } else if (const std::string host = resolve(options.listen); is_loopback(host)) {
    add(Use::own_user, host, options.port);
  } else {
    add(Use::user, host, options.port);
    add(Use::own_user, "127.0.0.1", 0);
  }
  if (several_hosts) {
    for (const std::string& address : interface_addresses()) add(Use::ranks, address, 0);
  }
  return listeners;
}

void CoordinatorServer::admit(grpc::ServerBuilder& builder, std::vector<Listener>& listeners, const CoordinatorOptions& options) {
  std::shared_ptr<grpc::ServerCredentials> secure;
  bool open = false;
  for (Listener& listener : listeners) {
    std::shared_ptr<grpc::ServerCredentials> credentials;
    const bool own_user = listener.use == Listener::Use::own_user;
    if (own_user) {
      if (!listener.host.empty() && !tells_users(listener.socket.get())) {
        warning_ = "coordinator: this system does not tell whose process connects to " + join_host_port(listener.host, listener.port) +
                   " (neither sock_diag nor /proc/net/tcp answers), so other users of this host can connect, too, though no call works "
                   "without the token; coordinator.listen: unix keeps them out";
      }
      // Local credentials put nothing on the wire, so that any plaintext client works; unlike insecure ones they take a processor. The
      // proxy's connections to the server are Unix sockets.
      credentials = with_token(grpc::experimental::LocalServerCredentials(UDS), token_);
    } else if (listener.use == Listener::Use::user && options.insecure) {
      credentials = grpc::InsecureServerCredentials();
      open = true;
    } else {
      if (!secure) {
        const Certificate certificate = make_certificate(kCertificateName, names_of_host(options.listen));
        certificate_ = certificate.certificate;
        secure = with_token(tls(certificate), token_);
      }
      credentials = secure;
    }
    std::shared_ptr<grpc::experimental::ExternalConnectionAcceptor> acceptor = builder.experimental().AddExternalConnectionAcceptor(
        grpc::ServerBuilder::experimental_type::ExternalConnectionType::FROM_FD, std::move(credentials));
    const AdmissionProxy::Clients clients = own_user ? AdmissionProxy::Clients::own_user : AdmissionProxy::Clients::anyone;
    served_->proxy.add(std::move(listener.socket), clients, [acceptor](Descriptor connection) {
      grpc::experimental::ExternalConnectionAcceptor::NewConnectionParameters parameters;
      parameters.fd = connection.release();
      acceptor->HandleNewConnection(&parameters);
    });
  }
  // No processor guards an insecure port and the handlers' own check does not cover reflection: then there is none.
  builder.SetOption(std::make_unique<Reflection>(!open));
}

void CoordinatorServer::note_addresses(const std::vector<Listener>& listeners) {
  for (const Listener& listener : listeners) {
    const std::string address = listener.host.empty() ? "unix:" + unix_->path() : join_host_port(listener.host, listener.port);
    switch (listener.use) {
      case Listener::Use::own_user: address_ = address; break;
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
