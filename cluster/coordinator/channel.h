#pragma once
#include <memory>
#include <string>
#include <vector>

namespace grpc {
class Channel;
class ClientContext;
}  // namespace grpc

namespace lockstep {

/// How to reach a coordinator.
struct CoordinatorEndpoint {
  std::vector<std::string> addresses;  ///< HOST:PORT each, of one server; tried in this order. Several ones must be numeric.
  std::string certificate;             ///< PEM of the server's own certificate; empty: no TLS
  std::string token;
};

/// Connects when first used; never through a proxy.
std::shared_ptr<grpc::Channel> make_channel(const CoordinatorEndpoint& endpoint);

/// Adds the token to a call.
void add_token(grpc::ClientContext& context, const std::string& token);

}  // namespace lockstep
