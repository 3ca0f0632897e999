#pragma once
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/host/placement.h"
#include "core/training/callbacks.h"
#include "core/training/plan.h"
#include "core/training/sequential.h"
#include "io/run/advice.h"
#include "io/run/time_report.h"

namespace lockstep {

/// What result.json tells of a run that has ended.
struct RunResult {
  TrainingPlan plan;
  std::string name = {};
  std::string ended = {};  ///< "all 30 epochs done", "stopped on request", "all 30 epochs done, but not all of it is on disk: ..."
  std::uint64_t seed = 0;
  std::int64_t epochs_done = 0, steps = 0;  ///< steps of this start, without those before a resume
  std::int64_t samples = 0;                 ///< rows trained on, all ranks
  double seconds = 0;                       ///< of fit, validation included
  std::int64_t total_steps = 0;             ///< over all starts of the run, as are the next two; empty: not known
  std::optional<std::int64_t> total_samples = {};
  std::optional<double> total_seconds = {};
  StepProfile profile = {};  ///< rank 0's
  TimeReport time = {};
  Advice advice = {};
  double first_step = 0;                       ///< seconds from the start of rank 0's process to the end of the first step
  std::vector<std::int64_t> memory = {};       ///< bytes of every rank when training was over, shared pages divided among the ranks
  std::vector<std::int64_t> peak_memory = {};  ///< of every rank so far, shared pages and libraries in full
  History history = {};
  std::vector<MetricSpec> metrics = {};  ///< of the history, under their names
  std::optional<Scores> test = {};
  std::string digest = {};  ///< of the final weights
  std::vector<RankPlace> ranks = {};
  std::map<std::string, std::string> versions = {};
  DataNames names = {};  ///< the model's
};

/// As JSON: final and best values of every split, speed, shares of time, places and versions.
std::string result_json(const RunResult& result);

}  // namespace lockstep
