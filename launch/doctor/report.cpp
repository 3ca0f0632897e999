#include "launch/doctor/report.h"

#include <fmt/format.h>

#include <algorithm>

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

}  // namespace lockstep
