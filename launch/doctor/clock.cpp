// Clocks of the hosts against rank 0's.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "launch/doctor/doctor.h"

namespace lockstep {
namespace {

constexpr double kWrong = 1;            // seconds
constexpr double kHarmful = 24 * 3600;  // the certificate of a run is valid from a day before it was made

double now() { return std::chrono::duration<double>(std::chrono::system_clock::now().time_since_epoch()).count(); }

/// A rank reads its clock between two barriers. Rank 0's readings before and after enclose it: what is outside is skew. The narrowest of
/// some rounds counts, since a busy host may keep a rank waiting.
Json probe_clock(const Examination& examination) {
  Json readings = Json::array();
  for (int round = 0; round < 5; ++round) {
    examination.world.barrier();
    const double before = now();
    examination.world.barrier();
    const double read = now();
    examination.world.barrier();
    readings.push_back(Json::array({before, read, now()}));
  }
  return {{"readings", readings}};
}

/// Seconds that a rank is ahead of rank 0, at least.
double skew(const Json& own, const Json& rank0) {
  double least = INFINITY;
  for (std::size_t round = 0; round < own.size(); ++round) {
    const auto read = own[round][1].get<double>(), before = rank0[round][0].get<double>(), after = rank0[round][2].get<double>();
    const double outside = read < before ? read - before : read > after ? read - after : 0;
    if (std::abs(outside) < std::abs(least)) least = outside;
  }
  return least;
}

Verdict judge_clock(const Case& facts) {
  Verdict verdict{"all within a second of rank 0's"};
  for (const std::vector<int>& ranks : facts.hosts()) {
    double worst = 0;
    for (const int rank : ranks) {
      const double seconds = skew(facts.of(rank)["readings"], facts.of(0)["readings"]);
      if (std::abs(seconds) > std::abs(worst)) worst = seconds;
    }
    if (std::abs(worst) < kWrong) continue;
    const std::string found = fmt::format("clock {:.0f} s {} rank 0's", std::abs(worst), worst > 0 ? "ahead of" : "behind");
    const std::string fix = "run an NTP client on every host (timedatectl set-ntp true; chronyc tracking shows the offset)";
    if (worst < -kHarmful) {
      verdict.problem(
          ranks, found,
          "Heartbeats fail: the certificate that rank 0 makes for the run is not valid yet there. Times in logs cannot be compared.", fix);
    } else {
      verdict.warning(ranks, found, "Times in logs and of files cannot be compared; make and backup tools take new files for old ones.",
                      fix);
    }
  }
  return verdict;
}

}  // namespace

const std::vector<Check>& doctor_clock() {
  static const std::vector<Check> checks{{"clock", probe_clock, judge_clock}};
  return checks;
}

}  // namespace lockstep
