// Who comes in by the coordinator's door, who has to leave, and what passes.
#include "cluster/network/door.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <string>
#include <vector>

#include "cluster/network/addresses.h"
#include "cluster/network/peer_user.h"

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

// A door with one listener on loopback; the test is the server.
class DoorTest : public ::testing::Test {
 protected:
  DoorTest() : door_(1) {
    door_.add(listen_on("127.0.0.1", port_), Door::Guests::own_user, [this](Descriptor given) {
      fcntl_blocking(given);
      const std::lock_guard lock(mutex_);
      served_.push_back(std::move(given));
      came_.notify_all();
    });
    door_.open();
  }
  ~DoorTest() override { door_.close(); }

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
  Door door_;
};

TEST_F(DoorTest, BytesPassInBothDirections) {
  const Visit visit = come_in();
  ASSERT_TRUE(visit.is_in());
  say(visit.client, "question");
  EXPECT_EQ(receive(visit.server, 8), "question");
  say(visit.server, "answer");
  EXPECT_EQ(receive(visit.client, 6), "answer");
}

TEST_F(DoorTest, WhatTheServerSaysLastArrives) {
  Visit visit = come_in();
  ASSERT_TRUE(visit.is_in());
  const std::string long_text(100000, 'x');
  say(visit.server, long_text);
  visit.server.reset();
  EXPECT_EQ(receive(visit.client), long_text);
  Visit other = come_in();
  say(other.server, "bye");
  door_.close();
  EXPECT_EQ(receive(other.client), "bye");
  EXPECT_EQ(receive(other.server), "") << "the server sees the end as well";
}

TEST_F(DoorTest, WhenThereAreTooManyTheOldestStrangerLeaves) {
  const Visit trusted = come_in(), healthy = come_in(), stranger = come_in();
  door_.vouch(peer_of(trusted), Door::Standing::trusted);
  door_.vouch(peer_of(healthy), Door::Standing::healthy);
  std::vector<Visit> crowd;
  for (int i = 0; i < 50; ++i) crowd.push_back(come_in());
  EXPECT_EQ(receive(healthy.client), "") << "a health check is no token";
  EXPECT_EQ(receive(stranger.client), "");
  say(trusted.client, "still here");
  EXPECT_EQ(receive(trusted.server, 10), "still here");
  say(crowd.back().client, "the last");
  EXPECT_EQ(receive(crowd.back().server, 8), "the last");
}

TEST_F(DoorTest, AStrangerThatTalksIsSentAway) {
  const Visit stranger = come_in(), trusted = come_in();
  door_.vouch(peer_of(trusted), Door::Standing::trusted);
  say(trusted.client, "call");
  say(stranger.client, "noise");
  EXPECT_EQ(receive(stranger.client), "");
  say(trusted.client, "call");
  EXPECT_EQ(receive(trusted.server, 8), "callcall");
}

// What `check` says of a connection over loopback that a process of `user` made.
template <typename Check>
auto check_of(const std::string& address, uid_t user, Check check) {
  int port = 0;
  const Descriptor listener = listen_on(address, port);
  int done[2];
  EXPECT_EQ(pipe(done), 0);
  const pid_t child = fork();
  if (child == 0) {
    if (user != geteuid() && setuid(user) != 0) _exit(2);
    const Descriptor made = connect_to(address, port);
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

TEST(PeerUser, BothSourcesTellOwnFromOther) {
  using peer_user_detail::Owner;
  constexpr uid_t nobody = 65534;
  for (const std::string address : {"127.0.0.1", "::1"}) {
    if (address == "::1" && !has_v6_loopback()) continue;
    EXPECT_EQ(check_of(address, geteuid(), peer_user_detail::ask_kernel), Owner::own) << address;
    EXPECT_EQ(check_of(address, geteuid(), peer_user_detail::ask_proc), Owner::own) << address;
    if (geteuid() != 0) continue;
    EXPECT_EQ(check_of(address, nobody, peer_user_detail::ask_kernel), Owner::other) << address;
    EXPECT_EQ(check_of(address, nobody, peer_user_detail::ask_proc), Owner::other) << address;
    EXPECT_FALSE(check_of(address, nobody, is_own_users)) << address;
  }
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
