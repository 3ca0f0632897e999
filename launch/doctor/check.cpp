#include "launch/doctor/check.h"

#include <algorithm>

namespace lockstep {

void Verdict::problem(std::vector<int> ranks, std::string found, std::string effect, std::string fix) {
  findings.push_back({Severity::problem, std::move(ranks), std::move(found), std::move(effect), std::move(fix)});
}

void Verdict::warning(std::vector<int> ranks, std::string found, std::string effect, std::string fix) {
  findings.push_back({Severity::warning, std::move(ranks), std::move(found), std::move(effect), std::move(fix)});
}

TrainingPlan Examination::plan(const std::vector<int>& host) const {
  FitOptions fit = config->fit;
  if (config->validation) fit.validation_split = 0;
  return model->plan(*train, fit, JobShape{host.front(), world.size(), world.hosts(), static_cast<int>(host.size())});
}

std::vector<int> Examination::neighbours() const {
  std::vector<int> ranks;
  const Seat& own = seats[static_cast<std::size_t>(world.rank())];
  for (std::size_t r = 0; r < seats.size(); ++r) {
    if (seats[r].host == own.host && seats[r].machine == own.machine) ranks.push_back(static_cast<int>(r));
  }
  return ranks;
}

std::vector<std::vector<int>> Case::hosts() const {
  std::vector<std::vector<int>> hosts;
  for (int rank = 0; rank < ranks(); ++rank) {
    const auto same = std::find_if(hosts.begin(), hosts.end(), [&](const std::vector<int>& host) {
      return seat(host.front()).host == seat(rank).host && seat(host.front()).machine == seat(rank).machine;
    });
    if (same == hosts.end()) {
      hosts.push_back({rank});
    } else {
      same->push_back(rank);
    }
  }
  return hosts;
}

std::map<std::string, std::vector<int>> Case::by(const std::string& key) const {
  std::map<std::string, std::vector<int>> groups;
  for (int rank = 0; rank < ranks(); ++rank) {
    if (!of(rank).contains(key)) continue;
    const Json& fact = of(rank)[key];
    groups[fact.is_string() ? fact.get<std::string>() : fact.dump()].push_back(rank);
  }
  return groups;
}

}  // namespace lockstep
