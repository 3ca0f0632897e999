#include "cluster/coordinator/coordinator.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <optional>
#include <utility>
#include <vector>

#include "cluster/coordinator/heartbeat.h"
#include "cluster/coordinator/record.h"
#include "cluster/coordinator/server.h"
#include "cluster/status/status_board.h"
#include "cluster/world.h"

namespace lockstep {
namespace {

constexpr double kHeartbeatsPerSecondMost = 100;  // of all ranks together: about half a percent of one core of rank 0's host

double seconds_since_1970() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

std::chrono::milliseconds heartbeat_interval(double seconds, int ranks) {
  if (!(seconds > 0) || seconds > 3600) throw Error("coordinator: heartbeat_seconds must be above 0 and at most 3600", kUsage);
  return std::chrono::milliseconds(std::llround(std::ceil(1000 * std::max(seconds, ranks / kHeartbeatsPerSecondMost))));
}

CoordinatorRecord record_of(const CoordinatorServer& server, const std::string& host, bool insecure) {
  CoordinatorRecord record;
  record.address = server.address();
  record.remote = server.remote().empty() ? server.for_ranks() : server.remote();
  if (server.remote().empty() || !insecure) record.certificate = server.certificate();
  record.token = server.token();
  record.pid = getpid();
  record.host = host;
  record.started = seconds_since_1970();
  return record;
}

// Everything that ranks need of rank 0: the loopback address, the certificate, the token, and the addresses for other hosts.
std::vector<std::string> share(const World& world, const std::optional<CoordinatorServer>& server) {
  std::vector<std::string> values;
  if (server) {
    values = {server->address(), server->certificate(), server->token()};
    values.insert(values.end(), server->for_ranks().begin(), server->for_ranks().end());
  }
  std::string joined;
  for (const std::string& value : values) joined += value + '\0';
  joined = world.broadcast(joined);
  values.clear();
  for (std::size_t begin = 0; begin < joined.size();) {
    const std::size_t end = joined.find('\0', begin);
    values.push_back(joined.substr(begin, end - begin));
    begin = end + 1;
  }
  return values;
}

}  // namespace

struct Coordinator::Impl {
  Impl(const World& world, StatusBoard& status_board, CoordinatorOptions given) : board(status_board), options(std::move(given)) {
    std::chrono::milliseconds interval{};
    world.agree([&] {
      interval = heartbeat_interval(options.heartbeat_seconds, world.size());
      if (world.rank() != 0) return;
      server.emplace(board, world.size(), world.hosts() > 1, options);
      record = record_of(*server, world.hostname(), options.insecure);
      write_record(options.run_dir, record);
    });
    const std::vector<std::string> shared = share(world, server);
    address = shared.at(0);
    CoordinatorEndpoint endpoint{{address}, "", shared.at(2)};
    // Which other ranks share rank 0's loopback is not always plain (equal host names, containers): all but rank 0 take the network.
    if (world.rank() != 0 && shared.size() > 3) {
      endpoint.addresses.assign(shared.begin() + 3, shared.end());
      endpoint.certificate = shared.at(1);
    }
    heartbeat.emplace(world.rank(), world.hostname(), board, std::move(endpoint), interval, options.watchdog);
  }

  ~Impl() {
    heartbeat.reset();
    if (!server) return;
    write_end();  // before the server goes: a client that finds it gone looks here for the reason
    server.reset();
  }

  void write_end() noexcept {
    record.ended = true;
    record.finished = seconds_since_1970();
    try {
      options.before_write();
    } catch (const std::exception&) {
      return;  // what stands there now is another run's
    }
    const bool reported = is_final(board.phase());
    try {
      record.phase = phase_name(reported ? board.phase() : Phase::failed);
      record.reason = reported ? board.reason() : "training was left before it reported its end";
      write_record(options.run_dir, record);
    } catch (const std::exception&) {
      unlink((options.run_dir / "coordinator.json").c_str());  // a full disk, say: at least no token stays
    }
  }

  StatusBoard& board;
  CoordinatorOptions options;
  CoordinatorRecord record;                 // rank 0
  std::optional<CoordinatorServer> server;  // rank 0
  std::string address;
  std::optional<HeartbeatSender> heartbeat;
};

Coordinator::Coordinator(const World& world, StatusBoard& board, CoordinatorOptions options)
    : impl_(std::make_unique<Impl>(world, board, std::move(options))) {}

Coordinator::~Coordinator() = default;

std::string Coordinator::address() const { return impl_->address; }

std::string Coordinator::warning() const { return impl_->server ? impl_->server->warning() : ""; }

}  // namespace lockstep
