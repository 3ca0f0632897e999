#pragma once
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cluster/json.h"
#include "cluster/world.h"
#include "core/training/plan.h"
#include "io/config/config.h"

// lockstep doctor: what goes wrong on clusters, found before the job does. A check has two halves: every rank probes and writes down facts;
// rank 0 judges the facts of all ranks. launch/doctor/doctor.cpp runs them, launch/doctor/NAME.cpp holds a group of them.
namespace lockstep {

enum class Severity { warning, problem };

/// What is wrong, what that does to a job, and the option that mends it.
struct Finding {
  Severity severity;
  std::vector<int> ranks;  ///< empty: the job as a whole
  std::string found, effect, fix;
};

/// What rank 0 makes of a check.
struct Verdict {
  std::string summary;  ///< what was looked at and is in order, in a few words
  std::vector<Finding> findings = {};

  void problem(std::vector<int> ranks, std::string found, std::string effect, std::string fix);
  void warning(std::vector<int> ranks, std::string found, std::string effect, std::string fix);
};

/// Where a rank is. `machine` tells hosts of one name apart.
struct Seat {
  std::string host, machine;
  long pid = 0;
  bool operator==(const Seat&) const = default;
};

/// What probes work with; the same on every rank but for `world`.
struct Examination {
  const World& world;
  const RunConfig* config;  ///< null without CONFIG
  Sequential* model;        ///< of CONFIG, built and compiled; null without one, where its data cannot be opened, and on other ranks than 0
  const Dataset* train;     ///< the rows that CONFIG trains on; null where `model` is
  std::filesystem::path run_dir;                   ///< a run's directory, or the folder where one will be made
  std::vector<Seat> seats;                         ///< by rank
  std::function<void(const std::string&)> trying;  ///< tells the watchdog what is being tried, should it never end

  /// Ranks of this rank's host, ascending.
  std::vector<int> neighbours() const;
  /// The plan of the first of these ranks, all on one host. Needs the model and its data (rank 0).
  TrainingPlan plan(const std::vector<int>& host) const;
  /// One rank of each host does what needs doing once a host.
  bool leads_host() const { return neighbours().front() == world.rank(); }
};

/// The facts of all ranks, for rank 0.
struct Case {
  const Examination& examination;
  std::vector<Json> facts;  ///< by rank

  int ranks() const { return static_cast<int>(facts.size()); }
  const Seat& seat(int rank) const { return examination.seats[static_cast<std::size_t>(rank)]; }
  const Json& of(int rank) const { return facts[static_cast<std::size_t>(rank)]; }
  /// Ranks of each host, in the order of their first rank.
  std::vector<std::vector<int>> hosts() const;
  /// Ranks by the text of a fact.
  std::map<std::string, std::vector<int>> by(const std::string& key) const;
};

/// `probe` is called on every rank and may be collective. If it throws, that is a finding of its own, so it must not throw between two
/// collectives.
struct Check {
  const char* name;
  Json (*probe)(const Examination&);
  Verdict (*judge)(const Case&);
};

}  // namespace lockstep
