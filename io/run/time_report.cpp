#include "io/run/time_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>

#include "cluster/json.h"
#include "io/run/advice.h"

namespace lockstep {
namespace {

TimeParts shares_of(const StepProfile& p) {
  const double total = p.total();
  if (total <= 0) return {.other = 1};
  return {.compute = (p.compute + p.optimizer) / total,
          .communication = p.communication / total,
          .input = p.input / total,
          .validation = p.validation / total,
          .checkpoint = p.checkpoint / total,
          .start = p.start / total,
          .other = (p.other + p.epochs) / total};
}

double work_of(const TimeParts& shares) { return shares.compute + shares.input; }

std::string line_of(const TimeParts& s) {
  const std::pair<const char*, double> parts[] = {{"compute", s.compute},
                                                  {"communication", s.communication},
                                                  {"input", s.input},
                                                  {"validation", s.validation},
                                                  {"checkpoint", s.checkpoint},
                                                  {"start", s.start},
                                                  {"other", s.other}};
  std::string line;
  for (const auto& [name, share] : parts) line += fmt::format("{}{} {:.1f} %", line.empty() ? "" : ", ", name, share * 100);
  return line;
}

}  // namespace

TimeReport time_report(const std::vector<StepProfile>& ranks) {
  TimeReport report;
  report.seconds = ranks.front().total();
  const double checkpoint = ranks.front().checkpoint;
  if (report.seconds > 0) {
    report.cpu = 0;
    for (const StepProfile& profile : ranks) report.cpu += profile.cpu / report.seconds / static_cast<double>(ranks.size());
  }
  for (StepProfile profile : ranks) {
    const double waited = std::clamp(checkpoint - profile.checkpoint, 0.0, profile.communication);
    profile.checkpoint += waited;
    profile.communication -= waited;
    report.ranks.push_back(shares_of(profile));
  }
  for (double TimeParts::*part : {&TimeParts::compute, &TimeParts::communication, &TimeParts::input, &TimeParts::validation,
                                  &TimeParts::checkpoint, &TimeParts::start, &TimeParts::other}) {
    for (const TimeParts& shares : report.ranks) report.mean.*part += shares.*part / static_cast<double>(report.ranks.size());
  }
  const auto busiest = std::max_element(report.ranks.begin(), report.ranks.end(),
                                        [](const TimeParts& a, const TimeParts& b) { return work_of(a) < work_of(b); });
  report.busiest = static_cast<std::size_t>(busiest - report.ranks.begin());
  return report;
}

std::vector<StepProfile> gather_profiles(const StepProfile& own, const World& world) {
  std::vector<StepProfile> profiles;
  for (const std::string& text : world.all_gather(std::string(reinterpret_cast<const char*>(&own), sizeof own))) {
    std::memcpy(&profiles.emplace_back(), text.data(), sizeof own);
  }
  return profiles;
}

std::vector<CoreEvidence> gather_evidence(const CoreEvidence& own, const World& world) {
  const Json text = Json::array({own.quota, own.group, own.periods, own.throttled, own.rival});
  std::vector<CoreEvidence> all;
  for (const std::string& of_rank : world.all_gather(text.dump())) {
    const Json values = Json::parse(of_rank);
    CoreEvidence& one = all.emplace_back();
    values[0].get_to(one.quota);
    values[1].get_to(one.group);
    values[2].get_to(one.periods);
    values[3].get_to(one.throttled);
    values[4].get_to(one.rival);
  }
  return all;
}

std::string time_lines(const TimeReport& report, const Advice& advice) {
  std::string lines = fmt::format("time           {:.2f} s: {}\n", report.seconds, line_of(report.mean));
  if (report.ranks.size() > 1) {
    const TimeParts& busiest = report.ranks[report.busiest];
    lines +=
        fmt::format("               mean of {} ranks; the busiest, rank {}: compute {:.1f} %, input {:.1f} %, communication {:.1f} %\n",
                    report.ranks.size(), report.busiest, busiest.compute * 100, busiest.input * 100, busiest.communication * 100);
  }
  return lines + "what would help most: " + advice.text + "\n";
}

}  // namespace lockstep
