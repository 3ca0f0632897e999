// Cores: what each rank may use, and what the ranks of a host use together.
#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <set>

#include "cluster/host/placement.h"
#include "cluster/mpi_variables.h"
#include "launch/doctor/doctor.h"

namespace lockstep {
namespace {

Json probe_cores(const Examination& examination) {
  const char* const threads = std::getenv("OMP_NUM_THREADS");
  return {{"mask", own_mask()},
          {"host", cores_of_job()},
          {"usable", usable_cores()},
          {"threads", threads_for_rank(examination.world, examination.config == nullptr ? 0 : examination.config->fit.threads)},
          {"asked", threads == nullptr ? "" : threads},
          {"yields", mpi_variable("mpi_yield_when_idle").value_or("0") == "1"}};
}

struct HostCores {
  int cores = 0;    ///< of the host for this job, its CPU quota considered
  int used = 0;     ///< that at least one rank may use
  int threads = 0;  ///< of all ranks
};

HostCores count(const Case& facts, const std::vector<int>& ranks) {
  HostCores host;
  std::set<int> used;
  for (const int rank : ranks) {
    const Json& fact = facts.of(rank);
    const auto mask = fact["mask"].get<std::vector<int>>();
    used.insert(mask.begin(), mask.end());
    host.cores = std::max(host.cores, static_cast<int>(fact["host"].size()));
    host.threads += fact["threads"].get<int>();
    if (const int usable = fact["usable"].get<int>(); usable < static_cast<int>(mask.size()))
      host.cores = std::min(host.cores, usable);  // a quota
  }
  host.used = std::min(host.cores, static_cast<int>(used.size()));
  return host;
}

void judge_host(const Case& facts, const std::vector<int>& ranks, Verdict& verdict) {
  const HostCores host = count(facts, ranks);
  const int size = static_cast<int>(ranks.size()), share = host.cores / size;
  if (size > host.cores) {
    const bool yields = std::all_of(ranks.begin(), ranks.end(), [&](int rank) { return facts.of(rank)["yields"].get<bool>(); });
    const std::string found =
        fmt::format("{} ranks on the {} of a host", size, host.cores == 1 ? "1 core" : fmt::format("{} cores", host.cores));
    if (yields)
      return verdict.warning(ranks, found, "Ranks take turns: nothing gets faster by them.",
                             fmt::format("mpirun -np {}, or more hosts", host.cores));
    return verdict.problem(
        ranks, found,
        "Ranks take turns, and one that waits for a message keeps its core for a time slice: every message takes milliseconds.",
        "fewer ranks; or mpirun --oversubscribe --mca mpi_yield_when_idle 1 (srun: export OMPI_MCA_mpi_yield_when_idle=1)");
  }
  std::vector<int> bound;
  for (const int rank : ranks) {
    if (static_cast<int>(facts.of(rank)["mask"].size()) * 2 <= share) bound.push_back(rank);
  }
  if (!bound.empty() || (host.used < size && host.used < host.cores)) {
    return verdict.problem(
        bound.empty() ? ranks : bound,
        fmt::format("may use {} of the {} cores that the host has for {} {}", host.used, host.cores, size, size == 1 ? "rank" : "ranks"),
        "The other cores stay idle. Without options mpirun binds each of one or two ranks to one core.",
        fmt::format("mpirun --map-by ppr:{}:node:PE={} --bind-to core, or --bind-to none; srun: export SRUN_CPUS_PER_TASK={}, or -c {}",
                    size, share, share, share));
  }
  const auto asked = facts.of(ranks.front())["asked"].get<std::string>();
  const std::string why = asked.empty() ? "" : " (OMP_NUM_THREADS=" + asked + ")";
  if (host.threads > host.cores) {
    verdict.problem(
        ranks, fmt::format("{} threads{} on {} cores", host.threads, why, host.cores),
        "Threads take turns: each step waits for the one that runs last, several times slower than with a thread for each core.",
        fmt::format("OMP_NUM_THREADS={} (mpirun -x OMP_NUM_THREADS), or unset it: then each rank takes its share", share));
  } else if (host.threads * 2 <= host.cores) {
    verdict.warning(
        ranks, fmt::format("{} {}{} on {} cores", host.threads, host.threads == 1 ? "thread" : "threads", why, host.cores),
        "The other cores stay idle.",
        fmt::format("OMP_NUM_THREADS={} (mpirun -x OMP_NUM_THREADS), or unset it: then each rank takes its share; or more ranks", share));
  }
}

Verdict judge_cores(const Case& facts) {
  Verdict verdict{"cores and threads:"};
  for (const std::vector<int>& ranks : facts.hosts()) {
    const HostCores host = count(facts, ranks);
    verdict.summary += fmt::format(" {} {}/{}", facts.seat(ranks.front()).host, host.cores, host.threads);
    judge_host(facts, ranks, verdict);
  }
  return verdict;
}

}  // namespace

const std::vector<Check>& doctor_cores() {
  static const std::vector<Check> checks{{"cores", probe_cores, judge_cores}};
  return checks;
}

}  // namespace lockstep
