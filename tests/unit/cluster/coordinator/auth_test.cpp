// Who may call what: raw calls against every method, on every kind of port.
#include "cluster/coordinator/auth.h"

#include <google/protobuf/descriptor.h>
#include <grpcpp/generic/generic_stub.h>
#include <grpcpp/grpcpp.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include "cluster/coordinator/channel.h"
#include "cluster/coordinator/coordinator.grpc.pb.h"
#include "cluster/coordinator/credentials.h"
#include "cluster/coordinator/record.h"
#include "cluster/coordinator/service.h"
#include "cluster/coordinator/waiting_calls.h"
#include "cluster/status/rank_table.h"
#include "support/coordinator_fixture.h"

namespace lockstep::testing {
namespace {

struct RawReply {
  int code;  // of grpc::StatusCode
  std::string message;
  std::string bytes;
};

// Calls any method ("/package.Service/Method") with these bytes as its one message, by plaintext, and returns the first reply's bytes.
// `authorization` is the value of the metadata of that name; none if empty.
RawReply raw_call(const std::string& address, const std::string& method, const std::string& request, const std::string& authorization) {
  grpc::ChannelArguments arguments;
  arguments.SetInt(GRPC_ARG_ENABLE_HTTP_PROXY, 0);
  grpc::GenericStub stub(grpc::CreateCustomChannel(address, grpc::InsecureChannelCredentials(), arguments));
  grpc::ClientContext context;
  context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
  if (!authorization.empty()) context.AddMetadata("authorization", authorization);
  grpc::Slice slice(request);
  grpc::CompletionQueue queue;
  const auto call = stub.PrepareUnaryCall(&context, method, grpc::ByteBuffer(&slice, 1), &queue);
  call->StartCall();
  grpc::ByteBuffer reply;
  grpc::Status status;
  call->Finish(&reply, &status, nullptr);
  void* tag = nullptr;
  bool ok = false;
  queue.Next(&tag, &ok);
  std::string bytes;
  if (status.ok()) {
    grpc::Slice joined;
    if (reply.DumpToSingleSlice(&joined).ok()) bytes.assign(reinterpret_cast<const char*>(joined.begin()), joined.size());
  }
  return {status.error_code(), status.error_message(), bytes};
}

constexpr const char* kReflection = "/grpc.reflection.v1alpha.ServerReflection/ServerReflectionInfo";
const std::string kListServices("\x3a\x01*", 3);  // field 7, list_services: "*"
constexpr const char* kHealth = "/grpc.health.v1.Health/Check";
const std::string kServing("\x08\x01", 2);  // field 1, status: SERVING
constexpr int kUnauthenticated = 16;

std::vector<std::string> methods() {
  std::vector<std::string> paths;
  const auto* service = google::protobuf::DescriptorPool::generated_pool()->FindServiceByName("lockstep.v1.Coordinator");
  for (int i = 0; i < service->method_count(); ++i) paths.push_back("/lockstep.v1.Coordinator/" + service->method(i)->name());
  return paths;
}

TEST_F(CoordinatorTest, EveryCallNeedsTheToken) {
  const std::string token = read_record(dir_.path()).token;
  EXPECT_EQ(token.size(), 64u);
  std::string other = token;
  other.back() = other.back() == '0' ? '1' : '0';
  std::vector<std::string> paths = methods();
  const std::vector<std::string> wrong = {"", "Bearer " + other, "Bearer " + token + "0", "Bearer", "Bearer ", token};
  ASSERT_EQ(paths.size(), 7u);
  paths.push_back(kReflection);
  for (const std::string& path : paths) {
    for (const std::string& authorization : wrong) {
      const RawReply reply = raw_call(coordinator_->address(), path, "", authorization);
      EXPECT_EQ(reply.code, kUnauthenticated) << path << " with '" << authorization << "': " << reply.message;
    }
  }
  EXPECT_FALSE(board_.pending().any()) << "a refused call must not do anything";
  EXPECT_EQ(raw_call(coordinator_->address(), "/lockstep.v1.Coordinator/GetStatus", "", "Bearer " + token).code, 0);
}

TEST_F(CoordinatorTest, ReflectionListsTheServiceWithTheToken) {
  const RawReply reply = raw_call(coordinator_->address(), kReflection, kListServices, "Bearer " + read_record(dir_.path()).token);
  EXPECT_EQ(reply.code, 0) << reply.message;
  EXPECT_NE(reply.bytes.find("lockstep.v1.Coordinator"), std::string::npos);
}

TEST_F(CoordinatorTest, HealthNeedsNoToken) {
  EXPECT_EQ(raw_call(coordinator_->address(), kHealth, "", "").bytes, kServing);
  const std::string service = "lockstep.v1.Coordinator";
  std::string request("\x0a\x17", 2);  // field 1, 23 bytes
  request += service;
  EXPECT_EQ(raw_call(coordinator_->address(), kHealth, request, "").bytes, kServing);
}

TEST_F(CoordinatorTest, HeartbeatOfAnUnknownRankIsRefused) {
  const std::string rank_7("\x08\x07", 2);
  const RawReply reply =
      raw_call(coordinator_->address(), "/lockstep.v1.Coordinator/Heartbeat", rank_7, "Bearer " + read_record(dir_.path()).token);
  EXPECT_EQ(reply.code, grpc::StatusCode::INVALID_ARGUMENT);
}

int free_port() {
  const int fd = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  socklen_t size = sizeof address;
  EXPECT_EQ(bind(fd, reinterpret_cast<sockaddr*>(&address), size), 0);
  EXPECT_EQ(getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size), 0);
  close(fd);
  return ntohs(address.sin_port);
}

TEST_F(CoordinatorTest, BeyondLoopbackOnlyTlsIsAnswered) {
  const int port = free_port();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const TempDir other;
  const Coordinator coordinator(world_, board_, {.listen = "0.0.0.0", .port = port, .run_dir = other.path()});
  const CoordinatorRecord record = read_record(other.path());
  EXPECT_EQ(raw_call(address, "/lockstep.v1.Coordinator/GetStatus", "", "Bearer " + record.token).code, grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(CoordinatorClient::at(address, record.token, record.certificate, false).status().run.name, "garments");
  expect_error([&] { CoordinatorClient::at(address, std::string(64, '0'), record.certificate, false).status(); }, {"token refused"});
  for (const std::string& remote : record.remote) EXPECT_TRUE(remote.ends_with(address.substr(9))) << remote;
  EXPECT_EQ(CoordinatorClient::of_run(other.path()).status().run.name, "garments") << "loopback as well";
}

TEST_F(CoordinatorTest, InsecureBeyondLoopbackStillNeedsTheTokenAndHasNoReflection) {
  const int port = free_port();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const TempDir other;
  const Coordinator coordinator(world_, board_, {.listen = "0.0.0.0", .port = port, .insecure = true, .run_dir = other.path()});
  const std::string token = read_record(other.path()).token;
  EXPECT_EQ(read_record(other.path()).certificate, "");
  for (const std::string& path : methods()) EXPECT_EQ(raw_call(address, path, "", "Bearer wrong").code, kUnauthenticated) << path;
  EXPECT_EQ(raw_call(address, "/lockstep.v1.Coordinator/GetStatus", "", "Bearer " + token).code, 0);
  EXPECT_EQ(raw_call(address, kReflection, kListServices, "").code, grpc::StatusCode::UNIMPLEMENTED);
}

// What the server does on an insecure port beyond loopback: no processor, so the handlers themselves refuse.
TEST(CoordinatorService, HandlersRefuseWithoutAProcessor) {
  StatusBoard board;
  RankTable ranks(1);
  WaitingCalls calls;
  const auto service = make_coordinator_service(board, ranks, "secret", calls);
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", grpc::InsecureServerCredentials(), &port);
  builder.RegisterService(service.get());
  const auto server = builder.BuildAndStart();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  for (const std::string& path : methods()) EXPECT_EQ(raw_call(address, path, "", "Bearer wrong").code, kUnauthenticated) << path;
  EXPECT_EQ(raw_call(address, "/lockstep.v1.Coordinator/GetStatus", "", "Bearer secret").code, 0);
}

// What ranks on other hosts use: only the run's own certificate is trusted, whatever the address is called.
TEST(CoordinatorChannel, TlsTrustsTheRunsCertificateAlone) {
  StatusBoard board;
  RankTable ranks(1);
  WaitingCalls calls;
  const auto service = make_coordinator_service(board, ranks, "secret", calls);
  const Certificate certificate = make_certificate(kCertificateName);
  grpc::SslServerCredentialsOptions options;
  options.pem_key_cert_pairs.push_back({certificate.key, certificate.certificate});
  const auto credentials = grpc::SslServerCredentials(options);
  credentials->SetAuthMetadataProcessor(make_token_processor("secret"));
  grpc::ServerBuilder builder;
  int port = 0;
  builder.AddListeningPort("127.0.0.1:0", credentials, &port);
  builder.RegisterService(service.get());
  const auto server = builder.BuildAndStart();
  const std::string address = "127.0.0.1:" + std::to_string(port);
  const auto code = [&](const CoordinatorEndpoint& endpoint) {
    grpc::ClientContext context;
    context.set_deadline(std::chrono::system_clock::now() + std::chrono::seconds(60));
    add_token(context, endpoint.token);
    v1::Status reply;
    return v1::Coordinator::NewStub(make_channel(endpoint))->GetStatus(&context, v1::GetStatusRequest(), &reply).error_code();
  };
  EXPECT_EQ(code({{address}, certificate.certificate, "secret"}), grpc::StatusCode::OK);
  EXPECT_EQ(code({{"127.0.0.1:1", address}, certificate.certificate, "secret"}), grpc::StatusCode::OK) << "the second address";
  EXPECT_EQ(code({{address}, certificate.certificate, "wrong"}), grpc::StatusCode::UNAUTHENTICATED);
  EXPECT_EQ(code({{address}, make_certificate(kCertificateName).certificate, "secret"}), grpc::StatusCode::UNAVAILABLE);
  EXPECT_EQ(code({{address}, "", "secret"}), grpc::StatusCode::UNAVAILABLE) << "plaintext";
}

}  // namespace
}  // namespace lockstep::testing
