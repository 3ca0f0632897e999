#include "io/run/result.h"

#include <fmt/format.h>

#include <cmath>

#include "cluster/json.h"
#include "io/data/names/names_json.h"

namespace lockstep {
namespace {

/// "val_loss" -> validation, loss.
std::pair<std::string, std::string> split_of(const std::string& key) {
  return key.rfind("val_", 0) == 0 ? std::pair{std::string("validation"), key.substr(4)} : std::pair{std::string("train"), key};
}

void add_history(const History& history, std::span<const MetricSpec> metrics, Json& final_values, Json& best) {
  for (const auto& [key, values] : history.history) {
    if (values.empty()) continue;
    const auto [split, metric] = split_of(key);
    final_values[split][metric] = values.back();
    std::size_t at = 0;  // a NaN is never best
    for (std::size_t i = 1; i < values.size(); ++i) {
      if (std::isnan(values[at]) || (larger_is_better(key, metrics) ? values[i] > values[at] : values[i] < values[at])) at = i;
    }
    best[split][metric] = {{"value", values[at]}, {"epoch", at < history.epoch.size() ? history.epoch[at] + 1 : 0}};
  }
}

/// Hexadecimal, since JSON's readers take 64 bits for a rounded double.
Json epoch_digests(const History& history) {
  Json digests = Json::array();
  for (const std::uint64_t digest : history.digests) digests.push_back(digest == 0 ? Json() : Json(fmt::format("{:016x}", digest)));
  return digests;
}

Json time_json(const TimeParts& parts) {
  return {{"compute", parts.compute},
          {"communication", parts.communication},
          {"input", parts.input},
          {"validation", parts.validation},
          {"checkpoint", parts.checkpoint},
          {"start", parts.start},
          {"other", parts.other}};
}

Json rank_table(const RunResult& result) {
  Json table = Json::array();
  for (const RankPlace& place : result.ranks) {
    const auto rank = static_cast<std::size_t>(place.rank);
    Json row{{"rank", place.rank}, {"host", place.host}, {"pid", place.pid}, {"cores", place.cores}, {"threads", place.threads}};
    if (rank < result.time.ranks.size()) row["time_shares"] = time_json(result.time.ranks[rank]);
    if (rank < result.memory.size()) row["memory_bytes"] = result.memory[rank];
    if (rank < result.peak_memory.size()) row["peak_memory_bytes"] = result.peak_memory[rank];
    table.push_back(row);
  }
  return table;
}

}  // namespace

std::string result_json(const RunResult& result) {
  Json json{{"name", result.name}, {"ended", result.ended}, {"seed", result.seed}, {"batch_size", result.plan.batch_size}};
  json["epochs_done"] = result.epochs_done;
  json["steps"] = result.total_steps;
  json["samples"] = result.total_samples ? Json(*result.total_samples) : Json();
  json["seconds"] = result.total_seconds ? Json(*result.total_seconds) : Json();
  json["last_start"] = {{"steps", result.steps}, {"samples", result.samples}, {"seconds", result.seconds}};
  const double stepping = result.profile.steps();
  json["samples_per_second"] = stepping > 0 ? static_cast<double>(result.samples) / stepping : 0;
  json["us_per_step"] = result.steps > 0 ? stepping / static_cast<double>(result.steps) * 1e6 : 0;
  json["seconds_to_first_step"] = result.first_step;
  json["time_shares"] = time_json(result.time.mean);
  json["busiest_rank"] = result.time.busiest;
  json["advice"] = {{"knob", result.advice.knob.empty() ? Json() : Json(result.advice.knob)},
                    {"gain_at_most", result.advice.gain},
                    {"text", result.advice.text}};
  Json final_values = Json::object(), best = Json::object();
  add_history(result.history, result.metrics, final_values, best);
  if (result.test) {
    for (const auto& [name, value] : result.test->values) {
      final_values["test"][name] = value;
      best["test"][name] = {{"value", value}, {"epoch", result.epochs_done}};
    }
  }
  json["final"] = final_values;
  json["best"] = best;
  json["weights_digest"] = result.digest;
  json["epoch_digests"] = epoch_digests(result.history);
  const TrainingPlan& plan = result.plan;
  json["dtype_policy"] = name_of(plan.dtype_policy);
  json["arithmetic"] = name_of(plan.arithmetic);
  json["allreduce"] = plan.allreduce();
  json["exchange"] = plan.exchanges();
  json["computed_by"] = plan.computed_by();
  json["planned"] = {{"operations_per_step", plan.cost.operations},
                     {"bytes_sent_per_step", plan.cost.sent},
                     {"state_bytes", plan.memory.weights},
                     {"activation_bytes", plan.memory.rows}};
  json["ranks"] = result.ranks.size();
  json["hosts"] = plan.job.hosts;
  json["threads"] = result.ranks.empty() ? 0 : result.ranks.front().threads;
  json["rank_table"] = rank_table(result);
  json["versions"] = result.versions;
  if (Json names = names_json(result.names); !names.is_null()) json["names"] = std::move(names);
  return json.dump(2) + "\n";
}

}  // namespace lockstep
