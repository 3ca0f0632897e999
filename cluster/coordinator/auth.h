#pragma once
#include <map>
#include <memory>
#include <string>

namespace grpc {
class AuthMetadataProcessor;
class string_ref;
namespace experimental {
class ServerInterceptorFactoryInterface;
}
}  // namespace grpc

namespace lockstep {

class AdmissionProxy;

/// Whether the metadata of a call hold "authorization: Bearer TOKEN"; the scheme in any case.
bool carries_token(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata, const std::string& token);

/// Refuses every call without the token, those to server reflection included, with UNAUTHENTICATED; health checks pass. Not for
/// InsecureServerCredentials, which abort the process when they are given one (gRPC 1.51).
std::shared_ptr<grpc::AuthMetadataProcessor> make_token_processor(const std::string& token);

/// Tells the proxy which connections make valid calls, and ends streams of server reflection beyond kReflectionsMost: each holds a thread.
/// `proxy` outlives the server.
std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> make_call_watch(const std::string& token, AdmissionProxy& proxy);
inline constexpr int kReflectionsMost = 8;

/// What a refused caller reads.
inline constexpr const char* kTokenRefused =
    "this call needs the metadata 'authorization: Bearer TOKEN' with the token from the run's coordinator.json";

}  // namespace lockstep
