#include "launch/steer/status_json.h"

#include <optional>

#include "cluster/json.h"

namespace lockstep {
namespace {

Json number(std::optional<double> value) { return value ? Json(*value) : Json(nullptr); }

}  // namespace

std::string status_json(const Status& status) {
  const RunInfo& run = status.run;
  Json json;
  json["run"] = {{"name", run.name},
                 {"run_dir", run.run_dir},
                 {"model", run.model},
                 {"epochs", run.epochs},
                 {"steps_per_epoch", run.steps_per_epoch},
                 {"batch_size", run.batch_size},
                 {"ranks", run.ranks},
                 {"hosts", run.hosts},
                 {"threads", run.threads},
                 {"allreduce", run.allreduce},
                 {"versions", run.versions}};
  json["phase"] = phase_name(status.phase);
  json["reason"] = status.reason;
  json["stop_request"] = status.stop_request;
  json["epoch"] = status.progress.epoch;
  json["step_in_epoch"] = status.progress.step_in_epoch;
  json["global_step"] = status.progress.global_step;
  json["samples"] = status.progress.samples;
  json["metrics"] = Json::object();
  for (const auto& [name, value] : status.metrics) json["metrics"][name] = value;  // NaN is written as null
  json["times"] = {{"compute", status.times.compute},
                   {"communication", status.times.communication},
                   {"input", status.times.input},
                   {"other", status.times.other}};
  json["started"] = status.started;
  json["elapsed"] = status.elapsed;
  json["samples_per_second"] = number(status.samples_per_second);
  json["steps_per_second"] = number(status.steps_per_second);
  json["epoch_eta"] = number(status.epoch_eta);
  json["run_eta"] = number(status.run_eta);
  json["checkpoints"] = status.checkpoints;
  json["ranks"] = Json::array();
  for (const RankStatus& rank : status.ranks) {
    json["ranks"].push_back({{"rank", rank.rank},
                             {"host", rank.host},
                             {"pid", rank.pid},
                             {"epoch", rank.epoch},
                             {"step", rank.step},
                             {"phase", phase_name(rank.phase)},
                             {"rss_bytes", rank.rss_bytes},
                             {"time", rank.time},
                             {"age", number(rank.age)}});
  }
  return json.dump(2);
}

}  // namespace lockstep
