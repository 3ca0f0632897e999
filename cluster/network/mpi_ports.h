#pragma once
#include <string>
#include <vector>

namespace lockstep {

class MpiSettings;
class World;

/// A TCP socket of this process that listens on addresses which others can reach.
struct OpenPort {
  int descriptor = -1;
  std::string address;  ///< "0.0.0.0:1024"
  int port = 0;
  bool guarded = false;  ///< the kernel drops what comes from other hosts than the job's (guard_ports)
};

/// The open ports of this process now, those on loopback addresses left out.
std::vector<OpenPort> open_ports();

/// Whether the launcher has started all ranks on this host, as its environment tells before MPI_Init. False if that is not certain.
bool all_ranks_here();

/// Forbids MPI the transports between hosts, which listen on all addresses. Call it before MPI_Init where all ranks are on one host. A list
/// of transports that the user has given (btl=self,vader,tcp) stays as it is.
void leave_out_network(const MpiSettings& settings);

/// Has the kernel drop packets that do not come from one of the job's hosts, at the ports that were opened after `before`. MPI's TCP
/// listens on all addresses of a host whatever btl_tcp_if_include says, and waits for the rest of a greeting from anybody. Ports stay
/// unguarded where the kernel refuses a filter, for example one for thousands of addresses. Collective.
void guard_ports(const World& world, const std::vector<OpenPort>& before);

}  // namespace lockstep
