#include "cluster/coordinator/messages.h"

#include "cluster/coordinator/coordinator.pb.h"

namespace lockstep {
namespace {

v1::Phase to_message(Phase phase) {
  switch (phase) {
    case Phase::starting: return v1::PHASE_STARTING;
    case Phase::training: return v1::PHASE_TRAINING;
    case Phase::validating: return v1::PHASE_VALIDATING;
    case Phase::checkpointing: return v1::PHASE_CHECKPOINTING;
    case Phase::finished: return v1::PHASE_FINISHED;
    case Phase::failed: return v1::PHASE_FAILED;
  }
  return v1::PHASE_UNSPECIFIED;
}

Phase from_message(v1::Phase phase) {
  switch (phase) {
    case v1::PHASE_TRAINING: return Phase::training;
    case v1::PHASE_VALIDATING: return Phase::validating;
    case v1::PHASE_CHECKPOINTING: return Phase::checkpointing;
    case v1::PHASE_FINISHED: return Phase::finished;
    case v1::PHASE_FAILED: return Phase::failed;
    default: return Phase::starting;
  }
}

template <typename Message>
void add_values(const NamedValues& values, Message* message) {
  for (const auto& [name, value] : values) {
    v1::Metric* metric = message->Add();
    metric->set_name(name);
    metric->set_value(value);
  }
}

template <typename Message>
NamedValues values_of(const Message& message) {
  NamedValues values;
  for (const v1::Metric& metric : message) values.emplace_back(metric.name(), metric.value());
  return values;
}

v1::RunInfo to_message(const RunInfo& run) {
  v1::RunInfo message;
  message.set_name(run.name);
  message.set_run_dir(run.run_dir);
  message.set_model(run.model);
  message.set_epochs(run.epochs);
  message.set_steps_per_epoch(run.steps_per_epoch);
  message.set_batch_size(run.batch_size);
  message.set_ranks(run.ranks);
  message.set_hosts(run.hosts);
  message.set_threads(run.threads);
  message.set_allreduce(run.allreduce);
  message.mutable_versions()->insert(run.versions.begin(), run.versions.end());
  return message;
}

RunInfo from_message(const v1::RunInfo& message) {
  RunInfo run;
  run.name = message.name();
  run.run_dir = message.run_dir();
  run.model = message.model();
  run.epochs = message.epochs();
  run.steps_per_epoch = message.steps_per_epoch();
  run.batch_size = message.batch_size();
  run.ranks = message.ranks();
  run.hosts = message.hosts();
  run.threads = message.threads();
  run.allreduce = message.allreduce();
  run.versions.insert(message.versions().begin(), message.versions().end());
  return run;
}

// What a heartbeat and a row of the status have in common.
template <typename Message>
void set_rank(const RankStatus& rank, Message* message) {
  message->set_rank(rank.rank);
  message->set_host(rank.host);
  message->set_pid(rank.pid);
  message->set_epoch(rank.epoch);
  message->set_step(rank.step);
  message->set_phase(to_message(rank.phase));
  message->set_rss_bytes(rank.rss_bytes);
  message->set_time(rank.time);
}

template <typename Message>
RankStatus rank_of(const Message& message) {
  RankStatus rank;
  rank.rank = message.rank();
  rank.host = message.host();
  rank.pid = message.pid();
  rank.epoch = message.epoch();
  rank.step = message.step();
  rank.phase = from_message(message.phase());
  rank.rss_bytes = message.rss_bytes();
  rank.time = message.time();
  return rank;
}

}  // namespace

v1::Status to_message(const Status& status) {
  v1::Status message;
  *message.mutable_run() = to_message(status.run);
  message.set_phase(to_message(status.phase));
  message.set_reason(status.reason);
  message.set_stop_request(status.stop_request);
  message.set_epoch(status.progress.epoch);
  message.set_step_in_epoch(status.progress.step_in_epoch);
  message.set_global_step(status.progress.global_step);
  message.set_samples(status.progress.samples);
  add_values(status.metrics, message.mutable_metrics());
  message.mutable_times()->set_compute(status.times.compute);
  message.mutable_times()->set_communication(status.times.communication);
  message.mutable_times()->set_input(status.times.input);
  message.mutable_times()->set_other(status.times.other);
  message.set_started(status.started);
  message.set_elapsed(status.elapsed);
  if (status.samples_per_second) message.set_samples_per_second(*status.samples_per_second);
  if (status.steps_per_second) message.set_steps_per_second(*status.steps_per_second);
  if (status.epoch_eta) message.set_epoch_eta(*status.epoch_eta);
  if (status.run_eta) message.set_run_eta(*status.run_eta);
  message.set_checkpoints(status.checkpoints);
  for (const RankStatus& rank : status.ranks) {
    v1::RankStatus* row = message.add_ranks();
    set_rank(rank, row);
    if (rank.age) row->set_age(*rank.age);
  }
  return message;
}

Status from_message(const v1::Status& message) {
  Status status;
  status.run = from_message(message.run());
  status.phase = from_message(message.phase());
  status.reason = message.reason();
  status.stop_request = message.stop_request();
  status.progress = {message.epoch(), message.step_in_epoch(), message.global_step(), message.samples()};
  status.metrics = values_of(message.metrics());
  status.times = {message.times().compute(), message.times().communication(), message.times().input(), message.times().other()};
  status.started = message.started();
  status.elapsed = message.elapsed();
  if (message.has_samples_per_second()) status.samples_per_second = message.samples_per_second();
  if (message.has_steps_per_second()) status.steps_per_second = message.steps_per_second();
  if (message.has_epoch_eta()) status.epoch_eta = message.epoch_eta();
  if (message.has_run_eta()) status.run_eta = message.run_eta();
  status.checkpoints = message.checkpoints();
  for (const v1::RankStatus& row : message.ranks()) {
    status.ranks.push_back(rank_of(row));
    if (row.has_age()) status.ranks.back().age = row.age();
  }
  return status;
}

v1::EpochRecord to_message(const EpochRecord& record) {
  v1::EpochRecord message;
  message.set_epoch(record.epoch);
  message.set_seconds(record.seconds);
  add_values(record.values, message.mutable_values());
  return message;
}

EpochRecord from_message(const v1::EpochRecord& message) { return {message.epoch(), message.seconds(), values_of(message.values())}; }

v1::Checkpoint to_message(const CheckpointInfo& checkpoint) {
  v1::Checkpoint message;
  message.set_path(checkpoint.path);
  message.set_epoch(checkpoint.epoch);
  message.set_step(checkpoint.step);
  message.set_time(checkpoint.time);
  message.set_bytes(checkpoint.bytes);
  return message;
}

CheckpointInfo from_message(const v1::Checkpoint& message) {
  return {message.path(), message.epoch(), message.step(), message.time(), message.bytes()};
}

v1::HeartbeatRequest to_heartbeat(const RankStatus& rank) {
  v1::HeartbeatRequest message;
  set_rank(rank, &message);
  return message;
}

RankStatus from_heartbeat(const v1::HeartbeatRequest& message) { return rank_of(message); }

namespace {

void set_state(const RankState& state, v1::Standing* message) {
  message->set_rank(state.rank);
  message->set_host(state.host);
  message->set_pid(state.pid);
  message->set_step(state.step);
  message->set_place(static_cast<std::uint32_t>(state.stage));
  message->set_beats(state.beats);
  message->set_state(static_cast<std::uint32_t>(state.process));
  message->set_leaving(state.leaving);
  message->set_note(state.note);
}

RankState state_of(const v1::Standing& message) {
  RankState state;
  state.rank = message.rank();
  state.host = message.host();
  state.pid = message.pid();
  state.step = message.step();
  state.stage = static_cast<Stage>(message.place());
  state.beats = message.beats();
  state.process = static_cast<char>(message.state());
  state.leaving = message.leaving();
  state.note = message.note();
  return state;
}

}  // namespace

void add_heartbeat(const Watchdog::Heartbeat& heartbeat, v1::HeartbeatRequest* message) {
  set_state(heartbeat.own, message->mutable_standing());
  for (const RankState& state : heartbeat.silent) set_state(state, message->add_silent());
}

Watchdog::Heartbeat heartbeat_of(const v1::HeartbeatRequest& message) {
  Watchdog::Heartbeat heartbeat{state_of(message.standing()), {}};
  for (const v1::Standing& state : message.silent()) heartbeat.silent.push_back(state_of(state));
  return heartbeat;
}

void set_reply(const Watchdog::HeartbeatReply& reply, v1::HeartbeatReply* message) {
  message->set_verdict(reply.verdict);
  set_state(reply.zero, message->mutable_zero());
}

Watchdog::HeartbeatReply reply_of(const v1::HeartbeatReply& message) { return {message.verdict(), state_of(message.zero())}; }

}  // namespace lockstep
