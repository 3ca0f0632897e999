#include "cluster/network/admission_proxy.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <signal.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "cluster/error.h"
#include "cluster/network/addresses.h"
#include "cluster/network/peer_user.h"
#include "cluster/network/relay.h"

namespace lockstep {
namespace {

// Bytes that clients send. The first call of a client with its TLS handshake is 2 to 3 KB, a heartbeat 300 bytes. Every 9 bytes can be a
// frame that costs the server several microseconds: what strangers send is kept to one or two percent of a core.
constexpr double kStrangerRate = 2048, kStrangerBurst = 8192;   // of one connection
constexpr double kSourceRate = 16384, kSourceBurst = 65536;     // of all strangers at one address
constexpr double kSourceBurstOfRank = 4096;                     // more for each rank: all may come at once
constexpr double kTrustedRate = 65536, kTrustedBurst = 262144;  // of one connection with the token
constexpr double kConnectionRate = 32;                          // new connections of one address in a second
constexpr int kClients = 64;                                    // connections beyond those of ranks; strangers among them: half
constexpr double kPatience = 5;                                 // seconds from the first byte to a valid call
constexpr double kTick = 0.05;
constexpr double kLastWords = 0.1;                          // seconds for what the server has sent at the end
constexpr std::chrono::seconds kStopAccepting{1}, kEnd{3};  // for the thread, which may be inside the server

constexpr std::uint64_t kWake = 0, kFirstConnection = 1024;  // epoll's names: listeners are 1, 2, ...; connections have two each

double seconds() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

// Ends the connections of hosts that have vanished, and sends small messages at once.
void set_options(int client) {
  const int on = 1, idle = 60, interval = 20, count = 3;
  setsockopt(client, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  setsockopt(client, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
  setsockopt(client, IPPROTO_TCP, TCP_KEEPIDLE, &idle, sizeof idle);
  setsockopt(client, IPPROTO_TCP, TCP_KEEPINTVL, &interval, sizeof interval);
  setsockopt(client, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

// A pair of sockets; the first has a name, by which the server knows the connection. The name is empty if there is no such pair.
std::string make_pair(Descriptor& ours, Descriptor& servers) {
  int pair[2];
  if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, pair) != 0) return "";
  ours = Descriptor(pair[0]);
  servers = Descriptor(pair[1]);
  sockaddr_un name{};
  name.sun_family = AF_UNIX;
  if (bind(ours.get(), reinterpret_cast<const sockaddr*>(&name), sizeof name.sun_family) != 0) return "";  // the kernel chooses a name
  socklen_t size = sizeof name;
  if (getsockname(ours.get(), reinterpret_cast<sockaddr*>(&name), &size) != 0 || size < offsetof(sockaddr_un, sun_path) + 2) return "";
  return std::string(name.sun_path + 1, size - offsetof(sockaddr_un, sun_path) - 1);
}

}  // namespace

struct AdmissionProxy::Impl {
  struct Listener {
    Descriptor socket;
    Clients clients;
    Server server;
    Allowance accepts;  // its own: a crowd at one listener keeps nobody out of another
    bool paused = false;
  };
  struct Source {
    Allowance connections, bytes;
  };
  struct Connection {
    Relay relay;
    std::string name, source;
    std::shared_ptr<std::atomic<Trust>> trust;
    Allowance bytes;
    double first_byte = -1;  // when it came; none yet
    bool throttled = false, trusted = false;
    std::uint32_t client_events = 0, server_events = 0;
  };

  explicit Impl(int count) : ranks(count) {
    epoll = Descriptor(epoll_create1(EPOLL_CLOEXEC));
    wake = Descriptor(eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
    if (!epoll.is_open() || !wake.is_open()) throw Error(std::string("coordinator: no more descriptors: ") + std::strerror(errno));
    watch(wake.get(), kWake, EPOLLIN, EPOLL_CTL_ADD);
  }

  int most() const { return kClients + 2 * ranks; }
  int most_strangers() const { return kClients / 2 + 2 * ranks; }

  void watch(int fd, std::uint64_t name, std::uint32_t events, int operation) const {
    epoll_event event{};
    event.events = events;
    event.data.u64 = name;
    epoll_ctl(epoll.get(), operation, fd, &event);
  }

  void ring() const {
    const std::uint64_t one = 1;
    static_cast<void>(!write(wake.get(), &one, sizeof one));
  }

  // --- the thread ---

  void run() {
    std::array<epoll_event, 64> events;
    double next_tick = 0, end = 0;
    bool accepting = true;
    while (true) {
      const int count = epoll_wait(epoll.get(), events.data(), static_cast<int>(events.size()), patience());
      const double now = seconds();
      for (int i = 0; i < count; ++i) handle(events[static_cast<std::size_t>(i)], now);
      if (accepting && stopping) {
        accepting = false;
        listeners.clear();
        reach(stopped);
      }
      if (ending) {
        if (end == 0) end = now + kLastWords;
        if (!say_last_words(now) || now >= end) return;
      }
      if (now < next_tick) continue;
      next_tick = now + kTick;
      tick(now);
    }
  }

  // Tells another thread that waits for it.
  void reach(bool& point) {
    const std::lock_guard lock(mutex);
    point = true;
    reached.notify_all();
  }

  // False if this thread does not get there in time.
  bool await(const bool& point, std::chrono::seconds patience) {
    std::unique_lock lock(mutex);
    return reached.wait_for(lock, patience, [&] { return point; });
  }

  // Milliseconds until something has to be done unasked; -1: never.
  int patience() const {
    if (ending) return 5;
    bool strangers = false;
    for (const Listener& listener : listeners) {
      if (listener.paused) return 50;
    }
    for (const auto& [number, connection] : connections) {
      if (connection->throttled) return 50;
      strangers = strangers || (!connection->trusted && connection->first_byte >= 0);
    }
    return strangers ? 1000 : -1;
  }

  void handle(const epoll_event& event, double now) {
    const std::uint64_t name = event.data.u64;
    if (name == kWake) {
      std::uint64_t ignored = 0;
      static_cast<void>(!read(wake.get(), &ignored, sizeof ignored));
      return;
    }
    if (name < kFirstConnection) {
      if (name <= listeners.size()) accept_all(listeners[name - 1], name, now);
      return;
    }
    const auto found = connections.find(name / 2);
    if (found == connections.end()) return;  // closed for an earlier event of this round
    Connection& connection = *found->second;
    const bool of_client = name % 2 == 0;
    if (of_client && (event.events & (EPOLLHUP | EPOLLERR)) != 0) return forget(found);
    if (!of_client && (event.events & (EPOLLHUP | EPOLLERR)) != 0 && !connection.relay.has_server_left()) {
      connection.relay.server_left();
      watch(connection.relay.server(), 0, 0, EPOLL_CTL_DEL);  // epoll would report it again and again
    }
    serve(found, now);
  }

  using Entry = std::map<std::uint64_t, std::unique_ptr<Connection>>::iterator;

  void serve(Entry entry, double now) {
    Connection& connection = *entry->second;
    if (!ending) pass_up(connection, now);
    connection.relay.down();
    if (connection.relay.over()) return forget(entry);
    show_interest(entry->first, connection);
  }

  void pass_up(Connection& connection, double now) {
    if (!connection.trusted && *connection.trust == Trust::trusted) {
      connection.trusted = true;
      connection.bytes = Allowance(kTrustedRate, kTrustedBurst, now);
    }
    double allowed = connection.bytes.at(now);
    Source* source = connection.trusted ? nullptr : &source_at(connection.source, now);
    if (source != nullptr) allowed = std::min(allowed, source->bytes.at(now));
    constexpr double worth_while = 64;
    connection.throttled = allowed < worth_while;
    const auto count = connection.relay.up(connection.throttled ? 0 : static_cast<std::size_t>(allowed));
    if (count == 0) return;
    connection.bytes.take(static_cast<double>(count));
    if (source != nullptr) source->bytes.take(static_cast<double>(count));
    if (connection.first_byte < 0) connection.first_byte = now;
  }

  void show_interest(std::uint64_t number, Connection& connection) const {
    const Relay& relay = connection.relay;
    const auto events = [](bool reads, bool writes) { return (reads ? EPOLLIN : 0U) | (writes ? EPOLLOUT : 0U); };
    const std::uint32_t of_client = events(relay.reads_client() && !connection.throttled && !ending, relay.writes_client());
    const std::uint32_t of_server = events(relay.reads_server(), relay.writes_server());
    if (of_client != connection.client_events) watch(relay.client(), 2 * number, of_client, EPOLL_CTL_MOD);
    if (of_server != connection.server_events && !relay.has_server_left()) watch(relay.server(), 2 * number + 1, of_server, EPOLL_CTL_MOD);
    connection.client_events = of_client;
    connection.server_events = of_server;
  }

  void tick(double now) {
    for (auto entry = connections.begin(); entry != connections.end();) {
      const auto here = entry++;
      const Connection& connection = *here->second;
      const bool too_late = connection.first_byte >= 0 && now - connection.first_byte > kPatience;
      if (too_late && *connection.trust == Trust::unknown) {
        forget(here);
      } else if (connection.throttled) {
        serve(here, now);
      }
    }
    for (std::size_t i = 0; i < listeners.size(); ++i) {
      if (!listeners[i].paused || now < pause_until) continue;
      listeners[i].paused = false;
      watch(listeners[i].socket.get(), i + 1, EPOLLIN, EPOLL_CTL_MOD);
    }
    if (sources.size() > 1024) forget_sources();
  }

  // True while there may be more.
  bool say_last_words(double now) {
    for (auto entry = connections.begin(); entry != connections.end();) serve(entry++, now);
    return !connections.empty();
  }

  // --- who comes in ---

  Source& source_at(const std::string& address, double now) {
    const Source fresh{Allowance(kConnectionRate, kClients + 2 * ranks, now),
                       Allowance(kSourceRate, kSourceBurst + kSourceBurstOfRank * ranks, now)};
    return sources.try_emplace(address, fresh).first->second;
  }

  void forget_sources() {
    std::erase_if(sources, [this](const auto& source) {
      for (const auto& [number, connection] : connections) {
        if (connection->source == source.first) return false;
      }
      return true;
    });
  }

  void pause(Listener& listener, std::uint64_t name) const {
    listener.paused = true;
    watch(listener.socket.get(), name, 0, EPOLL_CTL_MOD);
  }

  void accept_all(Listener& listener, std::uint64_t name, double now) {
    for (int round = 0; round < 16; ++round) {
      // Those of this host wait in the listener's queue when they come too fast: all are of one user.
      const bool too_fast = listener.clients == Clients::own_user && source_at("own user", now).connections.at(now) < 1;
      if (too_fast || listener.accepts.at(now) < 1) return pause(listener, name);
      sockaddr_storage address{};
      socklen_t size = sizeof address;
      Descriptor client(accept4(listener.socket.get(), reinterpret_cast<sockaddr*>(&address), &size, SOCK_NONBLOCK | SOCK_CLOEXEC));
      if (!client.is_open()) {
        if (errno == EAGAIN || errno == EWOULDBLOCK) return;
        if (errno != EINTR && errno != ECONNABORTED) {  // no descriptors or memory: others may free some
          pause_until = now + 0.5;
          return pause(listener, name);
        }
        continue;
      }
      listener.accepts.take(1);
      if (listener.clients == Clients::own_user) {
        if (is_own_users(client.get())) admit(std::move(client), "own user", listener.server, now);
      } else {
        const std::string source = numeric_address(address).first;
        if (source_at(source, now).connections.at(now) >= 1) admit(std::move(client), source, listener.server, now);
      }
    }
  }

  void admit(Descriptor client, const std::string& source, const Server& server, double now) {
    source_at(source, now).connections.take(1);
    if (!make_room()) return;
    set_options(client.get());
    Descriptor ours, servers;
    const std::string name = make_pair(ours, servers);
    if (name.empty()) return;
    const std::uint64_t number = next_number++;
    auto connection = std::make_unique<Connection>(Connection{.relay = Relay(std::move(client), std::move(ours)),
                                                              .name = name,
                                                              .source = source,
                                                              .trust = std::make_shared<std::atomic<Trust>>(Trust::unknown),
                                                              .bytes = Allowance(kStrangerRate, kStrangerBurst, now)});
    {
      const std::lock_guard lock(mutex);
      trusts[name] = connection->trust;
    }
    watch(connection->relay.client(), 2 * number, 0, EPOLL_CTL_ADD);
    watch(connection->relay.server(), 2 * number + 1, 0, EPOLL_CTL_ADD);
    show_interest(number, *connection);
    connections.emplace(number, std::move(connection));
    server(std::move(servers));
  }

  // Closes the oldest stranger of the address that has most of them, if there are too many; false if there is no room.
  bool make_room() {
    std::map<std::string, int> strangers;
    int count = 0;
    for (const auto& [number, connection] : connections) {
      if (*connection->trust == Trust::trusted) continue;
      ++strangers[connection->source];
      ++count;
    }
    if (count < most_strangers() && static_cast<int>(connections.size()) < most()) return true;
    if (count == 0) return false;
    const auto fewer = [](const auto& a, const auto& b) { return a.second < b.second; };
    const auto worst = std::max_element(strangers.begin(), strangers.end(), fewer);
    for (auto entry = connections.begin(); entry != connections.end(); ++entry) {  // in the order in which they came
      if (*entry->second->trust == Trust::trusted || entry->second->source != worst->first) continue;
      forget(entry);
      return true;
    }
    return false;
  }

  void forget(Entry entry) {
    {
      const std::lock_guard lock(mutex);
      trusts.erase(entry->second->name);
    }
    connections.erase(entry);
  }

  const int ranks;
  Descriptor epoll, wake;
  std::vector<Listener> listeners;
  std::map<std::uint64_t, std::unique_ptr<Connection>> connections;
  std::map<std::string, Source> sources;
  std::uint64_t next_number = kFirstConnection;
  double pause_until = 0;
  std::atomic<bool> stopping{false}, ending{false};
  std::mutex mutex;
  std::map<std::string, std::shared_ptr<std::atomic<Trust>>, std::less<>> trusts;  // by the names of connections
  std::condition_variable reached;
  bool stopped = false, ended = false;  // accepts no more; the thread has ended
  std::thread thread;
};

AdmissionProxy::AdmissionProxy(int ranks, double accept_rate, double accept_burst)
    : impl_(std::make_shared<Impl>(ranks)), accept_rate_(accept_rate), accept_burst_(accept_burst) {}

AdmissionProxy::~AdmissionProxy() {
  if (!close()) impl_->thread.detach();
}

void AdmissionProxy::add(Descriptor listener, Clients clients, Server server) {
  impl_->watch(listener.get(), impl_->listeners.size() + 1, EPOLLIN, EPOLL_CTL_ADD);
  impl_->listeners.push_back({std::move(listener), clients, std::move(server), Allowance(accept_rate_, accept_burst_, seconds())});
}

void AdmissionProxy::start() {
  sigset_t all, before;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &before);  // signals are for other threads
  try {
    impl_->thread = std::thread([impl = impl_] {
      try {
        impl->run();
      } catch (const std::exception&) {  // out of memory, say: training goes on without its coordinator
        impl->connections.clear();
        impl->listeners.clear();
      }
      impl->reach(impl->stopped);
      impl->reach(impl->ended);
    });
  } catch (...) {
    pthread_sigmask(SIG_SETMASK, &before, nullptr);
    throw;
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void AdmissionProxy::set_trust(std::string_view peer, Trust trust) {
  const std::string_view name = peer.substr(peer.rfind(':') + 1);
  const std::lock_guard lock(impl_->mutex);
  const auto found = impl_->trusts.find(name);
  if (found == impl_->trusts.end()) return;
  if (trust == Trust::trusted || *found->second == Trust::unknown) *found->second = trust;
}

void AdmissionProxy::stop_accepting() {
  impl_->stopping = true;
  impl_->ring();
  if (impl_->thread.joinable()) impl_->await(impl_->stopped, kStopAccepting);
}

bool AdmissionProxy::close() {
  impl_->stopping = true;
  impl_->ending = true;
  impl_->ring();
  if (impl_->thread.joinable()) {
    if (!impl_->await(impl_->ended, kEnd)) return false;
    impl_->thread.join();
  }
  impl_->connections.clear();
  impl_->listeners.clear();
  return true;
}

}  // namespace lockstep
