#pragma once
#include <memory>
#include <string>

namespace grpc {
class Service;
}

namespace lockstep {

class RankTable;
class StatusBoard;
class WaitingCalls;
class Watchdog;

/// The handlers of lockstep.v1.Coordinator. All arguments outlive the service. Handlers check the token themselves as well, for servers
/// whose credentials cannot. Once `calls` are ending, streams send the last status and end, and calls that wait return. `watchdog`, if any,
/// hears the heartbeats.
std::shared_ptr<grpc::Service> make_coordinator_service(StatusBoard& board, RankTable& ranks, const std::string& token, WaitingCalls& calls,
                                                        Watchdog* watchdog = nullptr);

}  // namespace lockstep
