#pragma once
#include "cluster/status/status.h"
#include "cluster/watchdog/watchdog.h"

namespace lockstep {

// The messages of coordinator.proto, declared here so that no header needs protobuf.
namespace v1 {
class Checkpoint;
class EpochRecord;
class HeartbeatReply;
class HeartbeatRequest;
class Status;
}  // namespace v1

v1::Status to_message(const Status& status);
Status from_message(const v1::Status& message);
v1::EpochRecord to_message(const EpochRecord& record);
EpochRecord from_message(const v1::EpochRecord& message);
v1::Checkpoint to_message(const CheckpointInfo& checkpoint);
CheckpointInfo from_message(const v1::Checkpoint& message);
v1::HeartbeatRequest to_heartbeat(const RankStatus& rank);
RankStatus from_heartbeat(const v1::HeartbeatRequest& message);
void add_heartbeat(const Watchdog::Heartbeat& heartbeat, v1::HeartbeatRequest* message);
Watchdog::Heartbeat heartbeat_of(const v1::HeartbeatRequest& message);
void set_reply(const Watchdog::HeartbeatReply& reply, v1::HeartbeatReply* message);
Watchdog::HeartbeatReply reply_of(const v1::HeartbeatReply& message);

}  // namespace lockstep
