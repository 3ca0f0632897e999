#include "io/run/advice.h"

#include <fmt/ranges.h>

#include <algorithm>
#include <map>
#include <set>

// Rules from measured shares of time to the one knob that would help most. Each says what share of the wall time it could save at most.
namespace lockstep {
namespace {

constexpr double kWorthwhile = 0.05;

struct Host {
  int ranks = 0, threads = 0, cores = 0;
};

std::map<std::string, Host> hosts_of(const std::vector<RankPlace>& places) {
  std::map<std::string, Host> hosts;
  for (const RankPlace& place : places) {
    Host& host = hosts[place.host];
    ++host.ranks;
    host.threads += place.threads;
    host.cores = place.host_cores;
  }
  return hosts;
}

double work_of(const TimeParts& shares) { return shares.compute + shares.input; }

/// Idle share of the ranks' time where grains do not divide evenly: 1 - (work) / (ranks x the largest share).
double unevenness(std::int64_t grains, std::int64_t ranks) {
  if (grains <= 0 || ranks <= 1) return 0;
  const std::int64_t most = (grains + ranks - 1) / ranks;
  return 1 - static_cast<double>(grains) / static_cast<double>(most * ranks);
}

void about_batches(const TimeReport& report, const RunFacts& facts, std::vector<Advice>& rules) {
  const auto ranks = static_cast<std::int64_t>(report.ranks.size());
  const TimeParts& mean = report.mean;
  const std::int64_t full = ranks * facts.grain_rows;
  if (facts.grains < ranks) {
    rules.push_back({"training.batch_size", mean.communication,
                     fmt::format("training.batch_size: a batch of {} makes {} grains of {} rows, so {} of {} ranks have nothing to do; {} "
                                 "rows would feed all, or start fewer ranks",
                                 facts.batch_size, facts.grains, facts.grain_rows, ranks - facts.grains, ranks, full)});
  } else if (const double idle = unevenness(facts.grains, ranks); idle > 0) {
    rules.push_back({"training.batch_size", std::min(idle, mean.communication),
                     fmt::format("training.batch_size: {} grains of {} rows do not divide among {} ranks; a multiple of {} rows would",
                                 facts.grains, facts.grain_rows, ranks, full)});
  } else if (ranks > 1) {
    rules.push_back({"training.batch_size", mean.communication / 2,
                     fmt::format("training.batch_size: ranks wait for each other {:.0f} % of the time; a larger batch gives them more to "
                                 "do between two exchanges",
                                 mean.communication * 100)});
  }
}

/// Cores that the host has for the job, and those that its ranks are bound to.
struct Binding {
  int job_cores = 0;
  std::set<int> bound;
};

Binding binding_of(const std::vector<RankPlace>& places, const std::string& host) {
  Binding binding;
  for (const RankPlace& place : places) {
    if (place.host != host) continue;
    binding.job_cores = std::max(binding.job_cores, place.job_cores);
    binding.bound.insert(place.mask.begin(), place.mask.end());
  }
  return binding;
}

void about_crowds(const TimeReport& report, const RunFacts& facts, std::vector<Advice>& rules) {
  const TimeParts& mean = report.mean;
  for (const auto& [name, host] : hosts_of(facts.places)) {
    const Binding binding = binding_of(facts.places, name);
    if (host.ranks > host.cores && static_cast<int>(binding.bound.size()) < std::min(host.ranks, binding.job_cores)) {
      rules.push_back(
          {"mpirun --bind-to none", mean.communication,
           fmt::format("mpirun --bind-to none: {} ranks on {} are bound to {} {}, and the host has {} cores for this job", host.ranks, name,
                       binding.bound.size() == 1 ? "core" : "cores", fmt::join(binding.bound, ", "), binding.job_cores)});
    } else if (host.ranks > host.cores) {
      rules.push_back(
          {"mpirun -np", mean.communication,
           fmt::format("mpirun -np: {} ranks take turns on the {} cores of {}; start {} there", host.ranks, host.cores, name, host.cores)});
    } else if (host.threads > host.cores) {
      const double turns = 1 - static_cast<double>(host.cores) / host.threads;  // of the time a thread waits for another
      rules.push_back(
          {"cluster.threads", std::max(mean.communication, turns * mean.compute),
           fmt::format("cluster.threads: {} {} {} threads on the {} cores of {}, so threads wait "
                       "for each other; allow {} a rank (--threads, OMP_NUM_THREADS)",
                       host.ranks, host.ranks == 1 ? "rank runs" : "ranks run", host.threads, host.cores, name, host.cores / host.ranks)});
    } else if (host.cores > host.threads) {
      rules.push_back(
          {"mpirun -np", mean.compute * (1 - static_cast<double>(host.threads) / host.cores),
           fmt::format("mpirun -np: {} of the {} cores of {} are used; start {} ranks there", host.threads, host.cores, name, host.cores)});
    }
  }
}

/// Time for which ranks had no core, and nothing of our own explains it: what the kernel says of the reason.
void about_lost_cores(const TimeReport& report, const RunFacts& facts, double taken, std::vector<Advice>& rules) {
  constexpr double kThrottled = 0.1;  // of the periods
  const std::string had = fmt::format("ranks had a core for {:.0f} % of the time", report.cpu * 100);
  for (std::size_t rank = 0; rank < facts.cores.size(); ++rank) {
    const CoreEvidence& seen = facts.cores[rank];
    if (seen.quota <= 0 || seen.periods <= 0 || static_cast<double>(seen.throttled) < kThrottled * static_cast<double>(seen.periods)) {
      continue;
    }
    rules.push_back({"CPU quota", taken,
                     fmt::format("CPU quota: cgroup {} allows {:.3g} CPUs and stopped the processes in it in {} of {} periods (cpu.stat); "
                                 "{}; raise the quota (docker --cpus, cpu.max), "
                                 "or start fewer ranks or threads in it",
                                 seen.group, seen.quota, seen.throttled, seen.periods, had)});
    return;
  }
  for (std::size_t rank = 0; rank < facts.cores.size() && rank < facts.places.size(); ++rank) {
    if (facts.cores[rank].rival.empty()) continue;
    const RankPlace& place = facts.places[rank];
    rules.push_back({"mpirun --bind-to none", taken,
                     fmt::format("mpirun --bind-to none: rank {} on {} is bound to {} {}, and so is {}; {}; bind the jobs to different "
                                 "cores (--cpu-set), or none",
                                 rank, place.host, place.mask.size() == 1 ? "core" : "cores", fmt::join(place.mask, ", "),
                                 facts.cores[rank].rival, had)});
    return;
  }
  const bool threaded = std::any_of(facts.places.begin(), facts.places.end(), [](const RankPlace& place) { return place.threads > 1; });
  rules.push_back({"other programs", taken,
                   fmt::format("other programs may use these cores: {} only; top shows them: end those, or train elsewhere{}", had,
                               threaded ? ", or with --threads 1: a step waits for the last of its threads" : "")});
}

void about_cores(const TimeReport& report, const RunFacts& facts, std::vector<Advice>& rules) {
  const TimeParts& mean = report.mean;
  about_crowds(report, facts, rules);
  const bool crowded = std::any_of(facts.places.begin(), facts.places.end(), [&](const RankPlace& place) {
    const Host host = hosts_of(facts.places).at(place.host);
    return host.ranks > host.cores || host.threads > host.cores;
  });
  // Ranks of a host that wait for each other keep their cores busy: what a training thread does not get, somebody else has. Between hosts
  // it may sleep.
  const double asleep = hosts_of(facts.places).size() > 1 ? mean.communication : 0;
  if (const double taken = 1 - report.cpu - mean.checkpoint - mean.input - asleep; !crowded && taken > kWorthwhile) {
    about_lost_cores(report, facts, taken, rules);
  }
  if (facts.far_cores) {
    rules.push_back(
        {"mpirun --map-by", mean.communication,
         "mpirun --map-by l3cache --bind-to core: the ranks' cores share no cache, and the time goes into fetching lines from afar"});
  }
  if (report.ranks.size() < 2) return;
  const TimeParts& busiest = report.ranks[report.busiest];
  const double behind = work_of(busiest) - work_of(mean);
  const bool even = facts.grains % static_cast<std::int64_t>(report.ranks.size()) == 0;
  if (even && behind > kWorthwhile && report.busiest < facts.places.size()) {
    rules.push_back({"mpirun --bind-to", behind,
                     fmt::format("mpirun --bind-to core: rank {} on {} takes {:.0f} % of the time for what others do in {:.0f} %; its core "
                                 "may be slower, or shared with another program",
                                 report.busiest, facts.places[report.busiest].host, work_of(busiest) * 100, work_of(mean) * 100)});
  }
}

void about_files(const TimeReport& report, const RunFacts& facts, std::vector<Advice>& rules) {
  const TimeParts& mean = report.mean;
  if (facts.streams) {
    rules.push_back(
        {"data.memory", mean.input,
         fmt::format("data.memory: a rank's {} MiB of rows do not fit and stream from the file; allow {} MiB, or start more ranks",
                     facts.shard_bytes >> 20, (facts.shard_bytes >> 20) + 1)});
  }
  if (facts.checkpoint_every > 0) {
    rules.push_back({"checkpoint.every_epochs", mean.checkpoint,
                     fmt::format("checkpoint.every_epochs: checkpoints take {:.0f} % of the time; write one every {} epochs",
                                 mean.checkpoint * 100, facts.checkpoint_every * 10)});
  }
  rules.push_back({"data.validation.rows", mean.validation * 0.8,
                   fmt::format("data.validation.rows: validation takes {:.0f} % of the time; a fifth of the rows would tell nearly as much",
                               mean.validation * 100)});
  rules.push_back({"training.epochs", mean.start * 0.9,
                   fmt::format("training.epochs: the start took {:.0f} % of the time; a longer run makes it small", mean.start * 100)});
}

}  // namespace

Advice advise(const TimeReport& report, const RunFacts& facts) {
  std::vector<Advice> rules;
  about_cores(report, facts, rules);
  about_batches(report, facts, rules);
  about_files(report, facts, rules);
  const auto best = std::max_element(rules.begin(), rules.end(), [](const Advice& a, const Advice& b) { return a.gain < b.gain; });
  if (best != rules.end() && best->gain >= kWorthwhile) return *best;
  return {"", 0,
          fmt::format("nothing stands out: {:.0f} % of the time is compute; more cores, on this host or others, would shorten it",
                      report.mean.compute * 100)};
}

}  // namespace lockstep
