#include "cluster/coordinator_auth.h"

#include <grpcpp/grpcpp.h>

#include <algorithm>
#include <string_view>

#include "cluster/credentials.h"

namespace lockstep {
namespace {

std::string_view view(const grpc::string_ref& text) { return {text.data(), text.size()}; }

class TokenProcessor final : public grpc::AuthMetadataProcessor {
 public:
  explicit TokenProcessor(const std::string& token) : token_(token) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext*, OutputMetadata*, OutputMetadata*) override {
    const auto path = metadata.find(":path");
    if (path != metadata.end() && view(path->second).starts_with("/grpc.health.v1.")) return grpc::Status::OK;
    return carries_token(metadata, token_) ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, kTokenRefused);
  }

 private:
  const std::string token_;
};

}  // namespace

bool carries_token(const std::multimap<grpc::string_ref, grpc::string_ref>& metadata, const std::string& token) {
  constexpr std::string_view scheme = "bearer";  // in any case and followed by spaces, by RFC 7235
  const auto found = metadata.find("authorization");
  if (found == metadata.end()) return false;
  const std::string_view value = view(found->second);
  const std::string_view given = value.substr(0, scheme.size());
  const auto same = [](char a, char b) { return a == (b >= 'A' && b <= 'Z' ? b - 'A' + 'a' : b); };
  if (!std::equal(scheme.begin(), scheme.end(), given.begin(), given.end(), same)) return false;
  const std::size_t begin = value.find_first_not_of(' ', scheme.size());
  return begin != std::string_view::npos && begin > scheme.size() && tokens_equal(value.substr(begin), token);
}

std::shared_ptr<grpc::AuthMetadataProcessor> make_token_processor(const std::string& token) {
  return std::make_shared<TokenProcessor>(token);
}

}  // namespace lockstep
