// Which connections the coordinator's proxy accepts, which it closes, and what it passes on.
#include "cluster/network/admission_proxy.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <condition_variable>
#include <deque>
#include <future>
#include <mutex>
#include <string>
#include <utility>
#include <vector>

#include "cluster/network/addresses.h"
#include "cluster/network/peer_user.h"
#include "support/deny_sock_diag.h"

namespace lockstep::testing {
namespace {

constexpr timeval kPatience{60, 0};

Descriptor connect_to(const std::string& address, int port) {
  const bool v6 = address.find(':') != std::string::npos;
  Descriptor made(socket(v6 ? AF_INET6 : AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  setsockopt(made.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
  sockaddr_in v4_address{.sin_family = AF_INET, .sin_port = htons(static_cast<std::uint16_t>(port)), .sin_addr = {}, .sin_zero = {}};
  sockaddr_in6 v6_address{};
  v6_address.sin6_family = AF_INET6;
  v6_address.sin6_port = v4_address.sin_port;
  inet_pton(AF_INET, address.c_str(), &v4_address.sin_addr);
  inet_pton(AF_INET6, address.c_str(), &v6_address.sin6_addr);
  const auto* where = v6 ? reinterpret_cast<const sockaddr*>(&v6_address) : reinterpret_cast<const sockaddr*>(&v4_address);
  if (connect(made.get(), where, v6 ? sizeof v6_address : sizeof v4_address) != 0) made.reset();
  return made;
}

// All that arrives until the other end closes; at most `most` bytes.
std::string receive(const Descriptor& from, std::size_t most = std::string::npos) {
  std::string text;
  char buffer[4096];
  while (text.size() < most) {
    const ssize_t count = recv(from.get(), buffer, std::min(sizeof buffer, most - text.size()), 0);
    if (count <= 0) break;
    text.append(buffer, static_cast<std::size_t>(count));
  }
  return text;
}

void say(const Descriptor& to, const std::string& text) {
  ASSERT_EQ(send(to.get(), text.data(), text.size(), MSG_NOSIGNAL), static_cast<ssize_t>(text.size()));
}

// A proxy with one listener on loopback; the test is the server.
class AdmissionProxyTest : public ::testing::Test {
 protected:
  AdmissionProxyTest() : proxy_(1) {
    proxy_.add(listen_on("127.0.0.1", port_), AdmissionProxy::Clients::own_user, [this](Descriptor given) {
      fcntl_blocking(given);
      const std::lock_guard lock(mutex_);
      served_.push_back(std::move(given));
      came_.notify_all();
    });
    proxy_.start();
  }
  ~AdmissionProxyTest() override { proxy_.close(); }

  struct Visit {
    Descriptor client, server;
    bool is_in() const { return server.is_open(); }
  };
  Visit come_in() {
    Visit visit;
    visit.client = connect_to("127.0.0.1", port_);
    std::unique_lock lock(mutex_);
    if (came_.wait_for(lock, std::chrono::seconds(60), [this] { return !served_.empty(); })) {
      visit.server = std::move(served_.front());
      served_.pop_front();
    }
    return visit;
  }

  // As grpc::ServerContext::peer names it.
  static std::string peer_of(const Visit& visit) {
    sockaddr_un name{};
    socklen_t size = sizeof name;
    EXPECT_EQ(getpeername(visit.server.get(), reinterpret_cast<sockaddr*>(&name), &size), 0);
    return "unix-abstract:" + std::string(name.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
  }

  static void fcntl_blocking(const Descriptor& socket) {
    setsockopt(socket.get(), SOL_SOCKET, SO_RCVTIMEO, &kPatience, sizeof kPatience);
    const int flags = fcntl(socket.get(), F_GETFL);
    fcntl(socket.get(), F_SETFL, flags & ~O_NONBLOCK);
  }

  int port_ = 0;
  std::mutex mutex_;
  std::condition_variable came_;
  std::deque<Descriptor> served_;
  AdmissionProxy proxy_;
};

TEST_F(AdmissionProxyTest, BytesPassInBothDirections) {
  const Visit visit = come_in();
  ASSERT_TRUE(visit.is_in());
  say(visit.client, "question");
  EXPECT_EQ(receive(visit.server, 8), "question");
  say(visit.server, "answer");
  EXPECT_EQ(receive(visit.client, 6), "answer");
}

TEST_F(AdmissionProxyTest, WhatTheServerSaysLastArrives) {
  Visit visit = come_in();
  ASSERT_TRUE(visit.is_in());
  const std::string long_text(100000, 'x');
  say(visit.server, long_text);
  visit.server.reset();
  EXPECT_EQ(receive(visit.client), long_text);
  Visit other = come_in();
  say(other.server, "bye");
  proxy_.close();
  EXPECT_EQ(receive(other.client), "bye");
  EXPECT_EQ(receive(other.server), "") << "the server sees the end as well";
}

TEST_F(AdmissionProxyTest, WhenThereAreTooManyTheOldestStrangerLeaves) {
  const Visit trusted = come_in(), healthy = come_in(), stranger = come_in();
  proxy_.set_trust(peer_of(trusted), AdmissionProxy::Trust::trusted);
  proxy_.set_trust(peer_of(healthy), AdmissionProxy::Trust::healthy);
  std::vector<Visit> crowd;
  for (int i = 0; i < 50; ++i) crowd.push_back(come_in());
  EXPECT_EQ(receive(healthy.client), "") << "a health check is no token";
  EXPECT_EQ(receive(stranger.client), "");
  say(trusted.client, "still here");
  EXPECT_EQ(receive(trusted.server, 10), "still here");
  say(crowd.back().client, "the last");
  EXPECT_EQ(receive(crowd.back().server, 8), "the last");
}

TEST_F(AdmissionProxyTest, AStrangerThatTalksIsSentAway) {
  const Visit stranger = come_in(), trusted = come_in();
  proxy_.set_trust(peer_of(trusted), AdmissionProxy::Trust::trusted);
  say(trusted.client, "call");
  say(stranger.client, "noise");
  EXPECT_EQ(receive(stranger.client), "");
  say(trusted.client, "call");
  EXPECT_EQ(receive(trusted.server, 8), "callcall");
}

TEST_F(AdmissionProxyTest, NothingIsAcceptedAfterItStopped) {
  const Visit visit = come_in();
  proxy_.stop_accepting();
  EXPECT_FALSE(connect_to("127.0.0.1", port_).is_open());
  say(visit.server, "goes on");
  EXPECT_EQ(receive(visit.client, 7), "goes on");
}

TEST(AdmissionProxy, ACrowdAtOneListenerKeepsNobodyOutOfAnother) {
  constexpr int kBurst = 3;
  AdmissionProxy proxy(1, 0, kBurst);  // no more than these ever
  std::mutex mutex;
  std::condition_variable came;
  std::array<int, 2> served{}, ports{};
  for (std::size_t i = 0; i < ports.size(); ++i) {
    proxy.add(listen_on("127.0.0.1", ports[i]), AdmissionProxy::Clients::own_user, [&, i](const Descriptor&) {
      const std::lock_guard lock(mutex);
      ++served[i];
      came.notify_all();
    });
  }
  proxy.start();
  const auto wait_until = [&](std::array<int, 2> expected) {
    std::unique_lock lock(mutex);
    return came.wait_for(lock, std::chrono::seconds(kPatience.tv_sec), [&] { return served == expected; });
  };
  std::vector<Descriptor> crowd;
  for (int i = 0; i < 10; ++i) crowd.push_back(connect_to("127.0.0.1", ports[0]));
  EXPECT_TRUE(wait_until({kBurst, 0}));
  const Descriptor other = connect_to("127.0.0.1", ports[1]);
  EXPECT_TRUE(wait_until({kBurst, 1}));
}

TEST(AdmissionProxy, IsLeftBehindByAServerThatHoldsItUp) {
  std::promise<void> inside, release;
  AdmissionProxy proxy(1);
  int port = 0;
  proxy.add(listen_on("127.0.0.1", port), AdmissionProxy::Clients::own_user,
            [&, released = release.get_future().share()](const Descriptor&) {
              inside.set_value();
              released.wait();
            });
  proxy.start();
  const Descriptor client = connect_to("127.0.0.1", port);
  inside.get_future().wait();
  proxy.stop_accepting();
  EXPECT_FALSE(proxy.close());
  release.set_value();
  EXPECT_TRUE(proxy.close());
}

// What `check` says of a connection over loopback that a process of `user` made to a listener at `address`, which it calls `name`.
template <typename Check>
auto check_of(const std::string& address, const std::string& name, uid_t user, Check check) {
  int port = 0;
  const Descriptor listener = listen_on(address, port);
  int done[2];
  EXPECT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (user != geteuid() && setuid(user) != 0) _exit(2);
    const Descriptor made = connect_to(name, port);
    char ignored;
    close(done[1]);
    static_cast<void>(!read(done[0], &ignored, 1));  // until the parent is done
    _exit(made.is_open() ? 0 : 1);
  }
  Descriptor accepted;
  while (!accepted.is_open()) accepted = Descriptor(accept(listener.get(), nullptr, nullptr));
  const auto said = check(accepted.get());
  close(done[0]);
  close(done[1]);
  int status = 0;
  waitpid(child, &status, 0);
  EXPECT_EQ(status, 0);
  return said;
}

bool has_v6_loopback() {
  try {
    int port = 0;
    listen_on("::1", port);
    return true;
  } catch (const std::exception&) {
    return false;
  }
}

using peer_user_detail::Owner;

Owner ask_kernel(int accepted) { return peer_user_detail::ask_kernel(accepted, IPPROTO_TCP); }

TEST(PeerUser, BothSourcesTellOwnFromOther) {
  constexpr uid_t nobody = 65534;
  struct Way {
    std::string address, name;
  };
  std::vector<Way> ways{{"127.0.0.1", "127.0.0.1"}};
  if (has_v6_loopback()) {  // a client with an IPv6 socket calls an IPv4 address so
    const std::string mapped = "::ffff:127.0.0.1";
    ways.insert(ways.end(), {{"127.0.0.1", mapped}, {mapped, "127.0.0.1"}, {mapped, mapped}, {"::1", "::1"}});
  }
  for (const auto& [address, name] : ways) {
    SCOPED_TRACE(name + " at " + address);
    EXPECT_EQ(check_of(address, name, geteuid(), ask_kernel), Owner::own);
    EXPECT_EQ(check_of(address, name, geteuid(), peer_user_detail::ask_proc), Owner::own);
    if (geteuid() != 0) continue;
    EXPECT_EQ(check_of(address, name, nobody, ask_kernel), Owner::other);
    EXPECT_EQ(check_of(address, name, nobody, peer_user_detail::ask_proc), Owner::other);
    EXPECT_FALSE(check_of(address, name, nobody, is_own_users));
  }
}

TEST(PeerUser, AKernelThatDoesNotKnowTheProtocolSaysNothing) {
  const auto ask = [](int accepted) { return peer_user_detail::ask_kernel(accepted, IPPROTO_DCCP); };  // as TCP without tcp_diag
  EXPECT_EQ(check_of("127.0.0.1", "127.0.0.1", geteuid(), ask), Owner::unknown);
}

// What is_own_users says of an IPv6 socket that calls an IPv4 address, and tells_users of the listener, where the kernel denies this.
std::pair<bool, bool> said_without(Denied what) {
  int port = 0;
  const Descriptor listener = listen_on("127.0.0.1", port);
  const Descriptor client = connect_to("::ffff:127.0.0.1", port);
  Descriptor accepted;
  while (!accepted.is_open()) accepted = Descriptor(accept(listener.get(), nullptr, nullptr));
  if (!deny(what)) _exit(2);
  return {is_own_users(accepted.get()), tells_users(listener.get())};
}

TEST(PeerUserDeathTest, WithoutSockDiagProcTells) {
  if (!has_v6_loopback()) GTEST_SKIP() << "no IPv6 here";
  EXPECT_EXIT(_exit(said_without(Denied::sock_diag) == std::pair(true, true) ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

TEST(PeerUserDeathTest, WhereNothingTellsEverybodyIsLetInAndThatIsKnown) {
  if (!has_v6_loopback()) GTEST_SKIP() << "no IPv6 here";
  EXPECT_EXIT(_exit(said_without(Denied::sock_diag_and_proc) == std::pair(true, false) ? 0 : 1), ::testing::ExitedWithCode(0), "");
}

TEST(PeerUser, AConnectionThatNobodyHoldsIsNobodys) {
  int port = 0;
  const Descriptor listener = listen_on("127.0.0.1", port);
  Descriptor client = connect_to("127.0.0.1", port);
  Descriptor accepted;
  while (!accepted.is_open()) accepted = Descriptor(accept(listener.get(), nullptr, nullptr));
  client.reset();
  EXPECT_FALSE(is_own_users(accepted.get()));
}

}  // namespace
}  // namespace lockstep::testing
