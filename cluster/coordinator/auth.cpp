#include "cluster/coordinator/auth.h"

#include <grpcpp/grpcpp.h>
#include <grpcpp/support/server_interceptor.h>

#include <algorithm>
#include <atomic>
#include <string_view>

#include "cluster/coordinator/credentials.h"
#include "cluster/network/admission_proxy.h"

namespace lockstep {
namespace {

constexpr std::string_view kHealth = "/grpc.health.v1.";

std::string_view view(const grpc::string_ref& text) { return {text.data(), text.size()}; }

class TokenProcessor final : public grpc::AuthMetadataProcessor {
 public:
  explicit TokenProcessor(const std::string& token) : token_(token) {}

  bool IsBlocking() const override { return false; }

  grpc::Status Process(const InputMetadata& metadata, grpc::AuthContext*, OutputMetadata*, OutputMetadata*) override {
    const auto path = metadata.find(":path");
    if (path != metadata.end() && view(path->second).starts_with(kHealth)) return grpc::Status::OK;
    return carries_token(metadata, token_) ? grpc::Status::OK : grpc::Status(grpc::StatusCode::UNAUTHENTICATED, kTokenRefused);
  }

 private:
  const std::string token_;
};

class CallWatch final : public grpc::experimental::ServerInterceptorFactoryInterface {
 public:
  CallWatch(const std::string& token, AdmissionProxy& proxy) : token_(token), proxy_(proxy) {}

  grpc::experimental::Interceptor* CreateServerInterceptor(grpc::experimental::ServerRpcInfo* info) override {
    return new Call(*this, *info);  // gRPC owns it
  }

 private:
  // Lives as long as the call.
  class Call final : public grpc::experimental::Interceptor {
   public:
    Call(CallWatch& watch, grpc::experimental::ServerRpcInfo& info)
        : watch_(watch), info_(info), reflects_(std::string_view(info.method()).starts_with("/grpc.reflection.")) {
      if (reflects_) ++watch_.reflections_;
    }
    ~Call() override {
      if (reflects_) --watch_.reflections_;
    }

    void Intercept(grpc::experimental::InterceptorBatchMethods* methods) override {
      if (methods->QueryInterceptionHookPoint(grpc::experimental::InterceptionHookPoints::POST_RECV_INITIAL_METADATA)) begin(*methods);
      methods->Proceed();
    }

   private:
    void begin(grpc::experimental::InterceptorBatchMethods& methods) {
      if (carries_token(*methods.GetRecvInitialMetadata(), watch_.token_)) {
        watch_.proxy_.set_trust(info_.server_context()->peer(), AdmissionProxy::Trust::trusted);
      } else if (std::string_view(info_.method()).starts_with(kHealth)) {
        watch_.proxy_.set_trust(info_.server_context()->peer(), AdmissionProxy::Trust::healthy);
      }
      if (reflects_ && watch_.reflections_ > kReflectionsMost) info_.server_context()->TryCancel();
    }

    CallWatch& watch_;
    grpc::experimental::ServerRpcInfo& info_;
    const bool reflects_;
  };

  const std::string token_;
  AdmissionProxy& proxy_;
  std::atomic<int> reflections_{0};
};

}  // namespace

std::unique_ptr<grpc::experimental::ServerInterceptorFactoryInterface> make_call_watch(const std::string& token, AdmissionProxy& proxy) {
  return std::make_unique<CallWatch>(token, proxy);
}

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
