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

/// Numeric address and port; "" and 0 for a family other than IPv4 and IPv6.
std::pair<std::string, int> numeric_address(const sockaddr_storage& address);

bool is_loopback(const std::string& numeric_address);
/// 0.0.0.0 or ::
bool is_wildcard(const std::string& numeric_address);

/// A socket that listens there and does not block. Port 0 is any free one; `port` becomes the one chosen. An Error (kUsage) tells apart a
/// port in use, an address of another host and a missing right.
Descriptor listen_on(const std::string& numeric_address, int& port);

/// A listening Unix socket in a folder that only this user can enter. The destructor removes both; the constructor removes what killed
/// processes of this user have left.
class UnixListener {
 public:
  UnixListener();
  ~UnixListener();
  UnixListener(const UnixListener&) = delete;
  UnixListener& operator=(const UnixListener&) = delete;
  const std::string& path() const { return path_; }
  /// The socket. Call it once.
  Descriptor take() { return std::move(socket_); }

 private:
  std::string path_;
  Descriptor socket_;
};

/// "127.0.0.1:80", "[::1]:80"
std::string join_host_port(const std::string& numeric_address, int port);

}  // namespace lockstep
