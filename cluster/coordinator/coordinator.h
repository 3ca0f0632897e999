#pragma once
#include <filesystem>
#include <functional>
#include <memory>
#include <string>

namespace lockstep {

class StatusBoard;
class Watchdog;
class World;

/// How the coordinator of a run is reached.
struct CoordinatorOptions {
  /// Address that clients connect to. A loopback address is reachable from this host only and needs no TLS. With any other one the
  /// coordinator also listens there, with TLS and a certificate made for this run, which RUN_DIR/coordinator.json hands to clients.
  /// "unix": in place of loopback, a Unix socket in a folder that only this user can enter.
  std::string listen = "127.0.0.1";
  int port = 0;           ///< of `listen`; 0: chosen by the system. A port in use is an Error.
  bool insecure = false;  ///< at a `listen` beyond loopback: no TLS. The token and all answers then cross the network in the clear.
  double heartbeat_seconds = 1.0;  ///< from every rank; with hundreds of ranks less often, so that rank 0 sees 100 a second at most
  Watchdog* watchdog = nullptr;    ///< hears what heartbeats tell; outlives the coordinator
  std::filesystem::path run_dir;   ///< existing directory that gets coordinator.json; the same on all ranks
  std::function<void()> before_write = [] {};  ///< on rank 0, before the last coordinator.json; throws if run_dir is another run's now
};

/// Serves the status of a run, and requests to it, by gRPC from threads of rank 0 (cluster/coordinator/coordinator.proto), and sends every
/// rank's heartbeats there. Training is never held up: neither side waits for the other, and a coordinator that cannot be reached costs
/// nothing but its own news.
///
/// Every call except health checks needs the random token of the run, which stands in RUN_DIR/coordinator.json (mode 0600). When the run
/// spans several hosts, the ranks elsewhere reach rank 0 by TLS on its network interfaces. http_proxy is ignored.
///
///     StatusBoard board;                                  // on every rank
///     board.start(info);
///     Coordinator coordinator(world, board, {.run_dir = run_dir});
///     ... train; board.finish(...) ...
///                                                         // ~Coordinator: clients that watch get the last status
class Coordinator {
 public:
  /// Collective. Rank 0 serves `board`; all ranks send heartbeats from theirs, which must outlive the coordinator. An Error of rank 0
  /// (port in use, run_dir not writable) is thrown on all ranks.
  Coordinator(const World& world, StatusBoard& board, CoordinatorOptions options);
  /// Not collective. Ends within about two seconds, six at worst, whatever clients do. coordinator.json stays without address and token;
  /// it tells when and why the run ended. Call StatusBoard::finish before, else the record says that the coordinator was left without one.
  ~Coordinator();
  Coordinator(const Coordinator&) = delete;
  Coordinator& operator=(const Coordinator&) = delete;

  /// HOST:PORT for clients on rank 0's host; on every rank.
  std::string address() const;
  /// What the user should know of how the coordinator is reached; on rank 0; empty if nothing.
  std::string warning() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep
