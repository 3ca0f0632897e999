#include "cluster/watchdog/diagnosis.h"

#include <algorithm>
#include <cstdio>

namespace lockstep {
namespace {

std::string seconds(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.1f s" : "%.0f s", value);
  return text;
}

/// Smaller is surer.
int sign(const RankState& rank, double unreachable) {
  if (has_ended(rank)) return 0;
  if (is_stopped(rank)) return 1;
  if (rank.unheard > unreachable) return 2;
  return waits(rank.stage) && rank.note.empty() ? 4 : 3;
}

std::string disk_or_processor(const RankState& rank) {
  if (!rank.note.empty()) {
    return "its main thread is inside MPI and waits for bytes from " + rank.note +
           ". A rank sends its greeting at once: find out who that is, and close MPI's ports to others "
           "(lockstep doctor names those that are open)";
  }
  if (rank.process == 'D') return "its process waits for a disk or a network file system (state D)";
  switch (rank.stage) {
    case Stage::starting: return "has it come into main()? a slow file system or a module that is missing on its host";
    case Stage::opening_data:
    case Stage::reading: return "the disk or file system that holds the data does not answer";
    case Stage::callbacks:
    case Stage::finishing: return "the disk or file system of the run directory does not answer";
    default: return "its host is overloaded or swapping, or the program is in an endless loop";
  }
}

std::string cause(const RankState& rank, double unreachable) {
  switch (sign(rank, unreachable)) {
    case 0: return " has died: " + (rank.note.empty() ? "killed by signal 9, most likely; it wrote nothing to its log" : rank.note);
    case 1:
      return rank.process == 't' ? " is held by a debugger"
                                 : " is stopped (SIGSTOP, or Ctrl-Z): kill -CONT " + std::to_string(rank.pid) + " would let it go on";
    case 2:
      return " has not been heard for " + seconds(rank.unheard) +
             (rank.note.empty() ? ": it was killed or stopped, or its host or the network is down" : ": " + rank.note);
    case 3: return " has not moved for " + seconds(rank.quiet) + ": " + disk_or_processor(rank);
    default: return " waits like all others: a message was lost, or the ranks do not run the same program";
  }
}

/// "ranks 0, 1, 3 waiting for the ranks of their host at step 118"
std::string others(const std::vector<RankState>& ranks, int culprit) {
  constexpr std::size_t kMost = 4;
  std::string text;
  std::size_t listed = 0;
  for (const RankState& rank : ranks) {
    if (rank.rank == culprit) continue;
    if (++listed > kMost) continue;
    text += (text.empty() ? "" : ", ") + ("rank " + std::to_string(rank.rank)) + " on " + rank.host + " " + stage_name(rank.stage) +
            " after step " + std::to_string(rank.step);
  }
  if (listed > kMost) text += " and " + std::to_string(listed - kMost) + " more";
  return text;
}

}  // namespace

Diagnosis diagnose(const std::vector<RankState>& ranks, double unreachable, const std::string& why) {
  const auto surer = [&](const RankState& a, const RankState& b) {
    const int sign_a = sign(a, unreachable), sign_b = sign(b, unreachable);
    if (sign_a != sign_b) return sign_a < sign_b;
    if (sign_a == 4 && a.step != b.step) return a.step < b.step;
    return sign_a == 2 ? a.unheard > b.unheard : a.quiet > b.quiet;
  };
  const RankState& found = *std::min_element(ranks.begin(), ranks.end(), surer);
  const auto furthest =
      std::max_element(ranks.begin(), ranks.end(), [](const RankState& a, const RankState& b) { return a.step < b.step; });
  Diagnosis diagnosis{found.rank, found.host, furthest->step, ""};
  const char* const last = sign(found, unreachable) == 2 ? ". The last step that was heard of was " : ". Its last step was ";
  diagnosis.text = "rank " + std::to_string(found.rank) + " on " + found.host + " (pid " + std::to_string(found.pid) + ")" +
                   cause(found, unreachable) + last + std::to_string(found.step) + ", where it was " + stage_name(found.stage) + ".";
  if (!why.empty()) diagnosis.text += " " + why + ".";
  const std::string rest = others(ranks, found.rank);
  if (!rest.empty()) diagnosis.text += " The others: " + rest + ".";
  return diagnosis;
}

}  // namespace lockstep
