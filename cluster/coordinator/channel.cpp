#include "cluster/coordinator/channel.h"

#include <grpcpp/grpcpp.h>

#include "cluster/coordinator/credentials.h"

namespace lockstep {
namespace {

// One address goes as it is (a name is looked up); a list needs gRPC's scheme for addresses of one family, the first one's.
std::string target_of(const std::vector<std::string>& addresses) {
  if (addresses.size() == 1) return addresses.front();
  const auto is_v6 = [](const std::string& address) { return address.starts_with('['); };
  const bool v6 = is_v6(addresses.at(0));
  std::string target;
  for (const std::string& address : addresses) {
    if (is_v6(address) == v6) target += (target.empty() ? (v6 ? "ipv6:" : "ipv4:") : ",") + address;
  }
  return target;
}

}  // namespace

std::shared_ptr<grpc::Channel> make_channel(const CoordinatorEndpoint& endpoint) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  arguments.SetMaxReceiveMessageSize(-1);  // a long history exceeds the default of 4 MiB
  const std::string target = target_of(endpoint.addresses);
  if (endpoint.certificate.empty()) return grpc::CreateCustomChannel(target, grpc::InsecureChannelCredentials(), arguments);
  grpc::SslCredentialsOptions tls;
  tls.pem_root_certs = endpoint.certificate;
  arguments.SetSslTargetNameOverride(kCertificateName);
  return grpc::CreateCustomChannel(target, grpc::SslCredentials(tls), arguments);
}

void add_token(grpc::ClientContext& context, const std::string& token) { context.AddMetadata("authorization", "Bearer " + token); }

}  // namespace lockstep
