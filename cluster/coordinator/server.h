#pragma once
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/coordinator/coordinator.h"
#include "cluster/coordinator/waiting_calls.h"
#include "cluster/descriptor.h"
#include "cluster/network/addresses.h"
#include "cluster/network/admission_proxy.h"
#include "cluster/status/rank_table.h"

namespace grpc {
class Server;
class ServerBuilder;
class Service;
}  // namespace grpc

namespace lockstep {

class StatusBoard;

/// The gRPC server of rank 0, behind an AdmissionProxy. It always listens on a loopback address or a Unix socket, where clients need no
/// TLS. The options may add an address beyond the host. In a run on several hosts it also listens on every network interface, with TLS, for
/// the heartbeats of ranks elsewhere.
class CoordinatorServer {
 public:
  /// `board` outlives the server. An Error if it cannot listen.
  CoordinatorServer(StatusBoard& board, int ranks, bool several_hosts, const CoordinatorOptions& options);
  /// Streams have two seconds to send the last status; then all connections are closed. A server that has not ended three seconds later is
  /// left behind.
  ~CoordinatorServer();

  const std::string& token() const { return token_; }
  /// HOST:PORT on loopback, or unix:PATH.
  const std::string& address() const { return address_; }
  /// HOST:PORT that other hosts can reach, with TLS if certificate() is not empty.
  const std::vector<std::string>& remote() const { return remote_; }
  /// PEM; empty if nothing is served by TLS.
  const std::string& certificate() const { return certificate_; }
  /// HOST:PORT, by TLS, for ranks on other hosts. Empty on one host.
  const std::vector<std::string>& for_ranks() const { return for_ranks_; }
  /// That other users of this host are not kept out; empty if they are.
  const std::string& warning() const { return warning_; }

 private:
  struct Listener {
    enum class Use { own_user, user, ranks } use;
    std::string host;  // numeric; empty: a Unix socket
    int port = 0;
    Descriptor socket;
  };
  // What the server's threads use. It is leaked with them if they do not end.
  struct Served {
    Served(StatusBoard& board, int ranks, const std::string& token, Watchdog* watchdog);
    RankTable ranks;
    WaitingCalls calls;
    AdmissionProxy proxy;
    std::shared_ptr<grpc::Service> service;
    std::unique_ptr<grpc::Server> server;
  };
  std::vector<Listener> open_listeners(bool several_hosts, const CoordinatorOptions& options);
  void admit(grpc::ServerBuilder& builder, std::vector<Listener>& listeners, const CoordinatorOptions& options);
  void note_addresses(const std::vector<Listener>& listeners);

  const std::string token_;
  std::string address_, certificate_, warning_;
  std::vector<std::string> remote_, for_ranks_;
  std::optional<UnixListener> unix_;
  std::unique_ptr<Served> served_;
};

}  // namespace lockstep
