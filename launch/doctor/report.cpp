#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "launch/doctor/doctor.h"

namespace lockstep {
namespace {

const char* name_of(Severity severity) { return severity == Severity::problem ? "problem" : "warning"; }

/// "0-3, 6"
std::string spans(const std::vector<int>& ranks) {
  std::string text;
  for (std::size_t i = 0; i < ranks.size();) {
    std::size_t end = i + 1;
    while (end < ranks.size() && ranks[end] == ranks[end - 1] + 1) ++end;
    text += fmt::format("{}{}{}", i == 0 ? "" : ", ", ranks[i], end - i > 1 ? fmt::format("-{}", ranks[end - 1]) : "");
    i = end;
  }
  return text;
}

/// Lines of at most 130 characters behind a margin.
std::string wrapped(const std::string& text, std::size_t margin) {
  constexpr std::size_t kWidth = 130;
  std::string lines;
  std::size_t column = margin;
  for (std::size_t at = 0; at < text.size();) {
    const std::size_t end = std::min(text.find(' ', at), text.size());
    if (at > 0 && column + 1 + end - at > kWidth) {
      lines += "\n" + std::string(margin, ' ');
      column = margin;
    } else if (at > 0) {
      lines += " ";
      ++column;
    }
    lines += text.substr(at, end - at);
    column += end - at;
    at = end + 1;
  }
  return lines;
}

std::vector<std::string> hosts_of(const Examination& examination, const std::vector<int>& ranks) {
  std::vector<std::string> hosts;
  for (const int rank : ranks) {
    const std::string& host = examination.seats[static_cast<std::size_t>(rank)].host;
    if (std::find(hosts.begin(), hosts.end(), host) == hosts.end()) hosts.push_back(host);
  }
  return hosts;
}

}  // namespace

std::string ranks_text(const Examination& examination, const std::vector<int>& ranks) {
  return fmt::format("{} {} ({})", ranks.size() == 1 ? "rank" : "ranks", spans(ranks), fmt::join(hosts_of(examination, ranks), ", "));
}

std::string report_text(const Examination& examination, const std::string& check, const Verdict& verdict) {
  constexpr std::size_t kMargin = 17;
  if (verdict.findings.empty()) return fmt::format("ok       {:<7} {}\n", check, wrapped(verdict.summary, kMargin));
  std::string text;
  for (const Finding& finding : verdict.findings) {
    const std::string who = finding.ranks.empty() ? "" : ranks_text(examination, finding.ranks) + ": ";
    text += fmt::format("{}  {:<7} {}\n", name_of(finding.severity), check, wrapped(who + finding.found, kMargin));
    text += fmt::format("         {:<7} {}\n", "effect", wrapped(finding.effect, kMargin));
    text += fmt::format("         {:<7} {}\n", "fix", wrapped(finding.fix, kMargin));
  }
  return text;
}

Json report_json(const Examination& examination, const std::string& check, const Verdict& verdict) {
  Json report{{"check", check}, {"summary", verdict.summary}, {"findings", Json::array()}};
  for (const Finding& finding : verdict.findings) {
    report["findings"].push_back({{"severity", name_of(finding.severity)},
                                  {"ranks", finding.ranks},
                                  {"hosts", hosts_of(examination, finding.ranks)},
                                  {"found", finding.found},
                                  {"effect", finding.effect},
                                  {"fix", finding.fix}});
  }
  return report;
}

void Verdict::problem(std::vector<int> ranks, std::string found, std::string effect, std::string fix) {
  findings.push_back({Severity::problem, std::move(ranks), std::move(found), std::move(effect), std::move(fix)});
}

void Verdict::warning(std::vector<int> ranks, std::string found, std::string effect, std::string fix) {
  findings.push_back({Severity::warning, std::move(ranks), std::move(found), std::move(effect), std::move(fix)});
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
