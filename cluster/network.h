#pragma once
#include <string>
#include <utility>
#include <vector>

#include "cluster/descriptor.h"

struct sockaddr_storage;

namespace lockstep {

/// Numeric addresses of this host's network interfaces that are up, loopback and link-local ones left out; IPv4 first.
std::vector<std::string> interface_addresses();

/// The first numeric address of a host name or address. An Error (kUsage) if there is none.
std::string resolve(const std::string& host);

/// Numeric address ("" if it is none of the internet) and port.
std::pair<std::string, int> numeric_address(const sockaddr_storage& address);

bool is_loopback(const std::string& numeric_address);
/// 0.0.0.0 or ::
bool is_wildcard(const std::string& numeric_address);

/// Listens there; port 0 is any, and is replaced by the one chosen. An Error (kUsage) tells port in use, foreign address and missing
/// right apart. The socket does not block.
Descriptor listen_on(const std::string& numeric_address, int& port);

/// A Unix socket that listens, in a folder that only this user can enter. Both are removed with this object, and those that killed
/// processes of this user have left when it is made.
class UnixListener {
 public:
  UnixListener();
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  const std::string& path() const { return path_; }
  /// Once.
  Descriptor take() { return std::move(socket_); }

 private:
  std::string path_;
  Descriptor socket_;
};

/// "127.0.0.1:80", "[::1]:80"
std::string join_host_port(const std::string& numeric_address, int port);

}  // namespace lockstep
