#include "io/checkpoint/state.h"

#include <cmath>
#include <limits>
#include <optional>

#include "cluster/error.h"
#include "cluster/json.h"

namespace lockstep {
namespace {

constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();

/// JSON has no NaN or infinity: a diverged run's loss is kept as a string.
Json number(double value) {
  if (std::isfinite(value)) return value;
  return std::isnan(value) ? "nan" : value > 0 ? "inf" : "-inf";
}

double number(const Json& value) {
  if (value == "nan") return kNaN;
  if (value == "inf") return std::numeric_limits<double>::infinity();
  if (value == "-inf") return -std::numeric_limits<double>::infinity();
  return value.get<double>();
}

Json history_json(const History& history) {
  Json values = Json::object();
  for (const auto& [name, series] : history.history) {
    Json list = Json::array();
    for (const double value : series) list.push_back(number(value));
    values[name] = list;
  }
  return {{"epoch", history.epoch}, {"epochs", history.epochs}, {"steps", history.steps}, {"digests", history.digests}, {"values", values}};
}

History read_history(const Json& json) {
  History history;
  history.epoch = json.at("epoch").get<std::vector<std::int64_t>>();
  json.at("epochs").get_to(history.epochs);
  json.at("steps").get_to(history.steps);
  history.digests = json.value("digests", std::vector<std::uint64_t>(history.epoch.size()));  // not in the first checkpoints
  for (const auto& [name, series] : json.at("values").members()) {
    for (const Json& value : series) history.history[name].push_back(number(value));
  }
  return history;
}

Json sums_json(const EpochSums& sums) {
  const auto list = [](const std::vector<double>& values) {
    Json numbers = Json::array();
    for (const double value : values) numbers.push_back(number(value));
    return numbers;
  };
  return {{"pairs", list(sums.scores.grains)},  // all that metrics once had: a sum and a count
          {"counts", list(sums.scores.counts)},
          {"penalty", number(sums.penalty)},
          {"rows", number(sums.rows)}};
}

EpochSums read_sums(const Json& json) {
  EpochSums sums{{}, number(json.at("penalty")), number(json.at("rows"))};
  for (const Json& value : json.at("pairs")) sums.scores.grains.push_back(number(value));
  for (const Json& value : json["counts"]) sums.scores.counts.push_back(number(value));  // not in the first checkpoints
  return sums;
}

}  // namespace

std::string checkpoint_state_json(const CheckpointState& state) {
  return Json{{"epoch", state.epoch},
              {"step_in_epoch", state.step_in_epoch},
              {"global_step", state.global_step},
              {"epochs", state.epochs},
              {"steps_per_epoch", state.steps_per_epoch},
              {"batch_size", state.batch_size},
              {"shards", state.shards},
              {"seed", state.seed},
              {"shuffle", state.shuffle},
              {"rows", state.rows},
              {"samples", state.samples},
              {"seconds", state.seconds ? number(*state.seconds) : Json()},
              {"data_sets", state.data},
              {"loss", state.loss},
              {"learning_rate", state.learning_rate ? number(*state.learning_rate) : Json()},
              {"metric_names", state.metric_names},
              {"history", history_json(state.history)},
              {"sums", sums_json(state.sums)},
              {"callbacks", state.callbacks},
              {"healthy", state.healthy},
              {"monitor", state.monitor},
              {"score", number(state.score)},
              {"facts", state.facts},
              {"versions", state.versions},
              {"time", state.time}}
             .dump(1) +
         "\n";
}

CheckpointState checkpoint_state_from_json(const std::string& name, std::string_view text) {
  try {
    const Json json = Json::parse(text);
    CheckpointState state;
    const auto read = [&](const char* key, auto& value) { json.at(key).get_to(value); };
    read("epoch", state.epoch);
    read("step_in_epoch", state.step_in_epoch);
    read("global_step", state.global_step);
    read("epochs", state.epochs);
    read("steps_per_epoch", state.steps_per_epoch);
    read("batch_size", state.batch_size);
    read("shards", state.shards);
    read("seed", state.seed);
    read("shuffle", state.shuffle);
    read("metric_names", state.metric_names);
    read("versions", state.versions);
    read("time", state.time);
    read("callbacks", state.callbacks);
    read("healthy", state.healthy);
    read("monitor", state.monitor);
    read("facts", state.facts);
    state.rows = json.value("rows", std::int64_t{0});  // these four are not in the first checkpoints
    state.data = json.value("data_sets", std::map<std::string, std::string>());
    json["samples"].get_to(state.samples);
    if (const Json& seconds = json["seconds"]; !seconds.is_null()) state.seconds = number(seconds);
    state.loss = json.value("loss", "");
    if (const Json& rate = json["learning_rate"]; !rate.is_null()) state.learning_rate = static_cast<float>(number(rate));
    state.score = number(json.at("score"));
    state.history = read_history(json.at("history"));
    state.sums = read_sums(json.at("sums"));
    for (const std::int64_t count : {state.epoch, state.step_in_epoch, state.global_step, state.epochs, state.steps_per_epoch,
                                     state.batch_size, state.shards, state.rows}) {
      if (count < 0) throw Error(name + ": a count is " + std::to_string(count) + "; expected numbers from 0 on");
    }
    return state;
  } catch (const JsonError& error) {
    throw Error(name + ": is not the state of a checkpoint: " + error.what());
  }
}

}  // namespace lockstep
