#pragma once
#include <memory>
#include <string>
#include <vector>

#include "cluster/coordinator.h"
#include "cluster/rank_table.h"
#include "cluster/waiting_calls.h"

namespace grpc {
class Server;
class ServerBuilder;
class Service;
}  // namespace grpc

namespace lockstep {

class StatusBoard;

/// The gRPC server of rank 0: always on a loopback address, where clients need no TLS; beyond that as the options say; and, for a run on
/// several hosts, with TLS on every network interface for the heartbeats of ranks elsewhere.
class CoordinatorServer {
 public:
  /// `board` outlives the server. An Error if it cannot listen.
  CoordinatorServer(StatusBoard& board, int ranks, bool several_hosts, const CoordinatorOptions& options);
  /// Streams send the last status, for which they have two seconds; then whatever still runs is cancelled.
  ~CoordinatorServer();

  const std::string& token() const { return token_; }
  /// HOST:PORT on loopback.
  const std::string& address() const { return address_; }
  /// HOST:PORT that other hosts can reach, with TLS if certificate() is not empty.
  const std::vector<std::string>& remote() const { return remote_; }
  /// PEM; empty if nothing is served by TLS.
  const std::string& certificate() const { return certificate_; }
  /// HOST:PORT, by TLS, for ranks on other hosts. Empty on one host.
  const std::vector<std::string>& for_ranks() const { return for_ranks_; }

 private:
  struct Listener {
    std::string host;  // numeric
    int port = 0;      // asked for; gRPC replaces it by the one chosen
    enum class Use { loopback, user, ranks } use;
  };
  std::vector<Listener> plan(bool several_hosts, const CoordinatorOptions& options) const;
  void listen(grpc::ServerBuilder& builder, std::vector<Listener>& listeners, const CoordinatorOptions& options);
  void note_addresses(const std::vector<Listener>& listeners);

  const std::string token_;
  std::string address_, certificate_;
  std::vector<std::string> remote_, for_ranks_;
  RankTable ranks_;
  WaitingCalls calls_;
  std::shared_ptr<grpc::Service> service_;
  std::unique_ptr<grpc::Server> server_;
};

}  // namespace lockstep
