#include "launch/bench/report.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdio>
#include <ctime>
#include <fstream>

#include "cluster/host/core_round_trip.h"
#include "io/run/versions.h"

namespace lockstep {
namespace {

/// Between the two samples nearest to that part of the way.
double quantile(const std::vector<double>& sorted, double part) {
  const double at = part * static_cast<double>(sorted.size() - 1);
  const auto below = static_cast<std::size_t>(at);
  const std::size_t above = std::min(below + 1, sorted.size() - 1);
  return sorted[below] + (at - static_cast<double>(below)) * (sorted[above] - sorted[below]);
}

std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    const std::size_t colon = line.find(": ");
    if (line.rfind("model name", 0) == 0 && colon != std::string::npos) return line.substr(colon + 2);
  }
  return "unknown";
}

std::string date() {
  const std::time_t now = std::time(nullptr);
  char text[32];
  std::tm parts{};
  return std::string(text, std::strftime(text, sizeof text, "%Y-%m-%dT%H:%M:%SZ", gmtime_r(&now, &parts)));
}

}  // namespace

Spread spread_of(std::vector<double> samples) {
  std::sort(samples.begin(), samples.end());
  return {quantile(samples, 0.5), samples.front(), samples.back(), quantile(samples, 0.25), quantile(samples, 0.75), samples.size()};
}

Json to_json(const Spread& spread) {
  return {{"median", spread.median},
          {"min", spread.min},
          {"max", spread.max},
          {"lower_quartile", spread.lower_quartile},
          {"upper_quartile", spread.upper_quartile},
          {"samples", spread.samples}};
}

Json bench_setting(const World& world, int threads) {
  std::map<std::string, std::string> versions = all_versions();
  const auto isa = versions.extract("ISA");
  Json setting{{"date", date()},           {"machine", processor()}, {"isa", isa.mapped()},   {"versions", versions},
               {"host", world.hostname()}, {"hosts", world.hosts()}, {"ranks", world.size()}, {"cores", sysconf(_SC_NPROCESSORS_ONLN)},
               {"threads", threads}};
  const std::optional<CoreRoundTrip> trip = core_round_trip(world);
  setting["round_trip"] = nullptr;
  if (trip) setting["round_trip"] = {{"ns", std::round(trip->nanoseconds)}, {"cores", trip->near() ? "near" : "far"}};
  return setting;
}

std::string setting_text(const Json& setting) {
  std::string versions;
  for (const auto& [library, version] : setting["versions"].members())
    versions += (versions.empty() ? "" : ", ") + library + " " + version.get<std::string>();
  const auto count = [&](const char* key, const char* what) {
    const int n = setting[key].get<int>();
    return fmt::format("{} {}{}", n, what, n == 1 ? "" : "s");
  };
  const Json& trip = setting["round_trip"];
  const std::string cores = trip.is_null() ? "round trip between cores not measured (one core, or more ranks than cores)"
                                           : fmt::format("round trip between cores {} ns ({})", trip["ns"].get<double>(),
                                                         trip["cores"] == "near" ? "near: one cache" : "far: no common cache");
  return fmt::format("{}, {}, {}; {}\n{}\n{} on {}, {} each; {}\n", setting["machine"].get<std::string>(),
                     setting["isa"].get<std::string>(), count("cores", "core"), setting["date"].get<std::string>(), versions,
                     count("ranks", "rank"), count("hosts", "host"), count("threads", "thread"), cores);
}

std::string bytes_text(double bytes) {
  const char* unit = "B";
  for (const char* larger : {"KB", "MB", "GB"}) {
    if (bytes < 1024) break;
    bytes /= 1024;
    unit = larger;
  }
  return fmt::format("{:.3g} {}", bytes, unit);
}

void print_bench(bool json, const Json& document, const std::string& text) {
  fmt::print("{}", json ? document.dump(2) + "\n" : setting_text(document["setting"]) + text);
  std::fflush(stdout);
}

double seconds_now() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }

}  // namespace lockstep
