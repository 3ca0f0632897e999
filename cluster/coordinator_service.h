#pragma once
#include <atomic>
#include <memory>
#include <string>

namespace grpc {
class Service;
}

namespace lockstep {

class RankTable;
class StatusBoard;

/// The handlers of lockstep.v1.Coordinator. All arguments outlive the service. Handlers check the token themselves as well, for servers
/// whose credentials cannot. Once `ending` is set, streams send the last status and end, and waiting calls return.
std::shared_ptr<grpc::Service> make_coordinator_service(StatusBoard& board, RankTable& ranks, const std::string& token,
                                                        const std::atomic<bool>& ending);

}  // namespace lockstep
