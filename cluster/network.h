#pragma once
#include <string>
#include <utility>
#include <vector>

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

/// Binds and lets go, to tell port in use, foreign address and missing right apart: an Error (kUsage) that says which. Port 0 is any.
void check_can_listen(const std::string& numeric_address, int port);

/// "127.0.0.1:80", "[::1]:80"
std::string join_host_port(const std::string& numeric_address, int port);

}  // namespace lockstep
