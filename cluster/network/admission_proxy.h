#pragma once
#include <functional>
#include <memory>
#include <string_view>

#include "cluster/descriptor.h"

namespace lockstep {

/// Accepts the connections of the coordinator's gRPC server, and passes their bytes on in a thread of its own.
///
/// It keeps strangers from using up rank 0's processor and memory. On this host it lets in this user and root. It bounds how many
/// connections there are, how fast they come, and how fast each may send. A connection that sends but makes no valid call is closed
/// after five seconds. A connection without a valid call leaves when there are too many. What a client may send stays far above
/// what real ones do, so that they never notice.
class AdmissionProxy {
 public:
  /// Whose connections a listener accepts.
  enum class Clients { own_user, anyone };
  /// What the calls of a connection have shown: `healthy` for a health check, which takes no token; `trusted` for a call with the token.
  enum class Trust { unknown, healthy, trusted };
  /// Takes over one end of a Unix socket, as a connection of the server.
  using Server = std::function<void(Descriptor)>;

  /// Leaves room for connections of `ranks` ranks. `accept_rate` connections a second, and `accept_burst` at once, may come to each
  /// listener; those beyond wait in its queue.
  explicit AdmissionProxy(int ranks, double accept_rate = 1000, double accept_burst = 200);
  ~AdmissionProxy();
  AdmissionProxy(const AdmissionProxy&) = delete;
  AdmissionProxy& operator=(const AdmissionProxy&) = delete;

  /// All listeners are added before the proxy starts.
  void add(Descriptor listener, Clients clients, Server server);
  void start();
  /// A call on the connection that the server knows as `peer` (grpc::ServerContext::peer) deserves this trust. For any thread.
  void set_trust(std::string_view peer, Trust trust);
  /// Accepts no connection any more. When it returns, the server gets no more connections; only if the server holds up the proxy's thread
  /// for a second, it returns before.
  void stop_accepting();
  /// Passes on what the server has sent, for at most 100 ms, and closes all connections. False if the server holds up the proxy's thread
  /// for three seconds: then the thread is left behind, and may still call the server.
  bool close();

 private:
  struct Impl;
  const std::shared_ptr<Impl> impl_;  // the thread owns it as well
  const double accept_rate_, accept_burst_;
};

}  // namespace lockstep
