// Memory that the ranks of a host share, cross-memory attach, and limits of the process.
#include <fmt/format.h>
#include <sys/resource.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <set>

#include "cluster/host/placement.h"
#include "cluster/host/process_limits.h"
#include "cluster/mpi_variables.h"
#include "launch/doctor/doctor.h"
#include "launch/train/run_limits.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kShm = "/dev/shm";
constexpr double kMiB = 1 << 20;

/// "" if this rank can read its neighbour's memory as Open MPI does it for large messages, else the reason. Collective.
std::string attach_neighbour(const Examination& examination) {
  static std::array<char, 64> pattern;
  const int rank = examination.world.rank();
  std::snprintf(pattern.data(), pattern.size(), "lockstep doctor, rank %d", rank);
  const std::vector<std::string> addresses = examination.world.all_gather(std::to_string(reinterpret_cast<std::uintptr_t>(pattern.data())));
  const std::vector<int> ranks = examination.neighbours();
  const auto own = std::find(ranks.begin(), ranks.end(), rank);
  const int other = own + 1 == ranks.end() ? ranks.front() : *(own + 1);
  std::string reason;
  if (other != rank) {
    std::array<char, 64> read{};
    const iovec here{read.data(), read.size()};
    const iovec there{reinterpret_cast<void*>(std::stoull(addresses[static_cast<std::size_t>(other)])), read.size()};
    const ssize_t count =
        process_vm_readv(static_cast<pid_t>(examination.seats[static_cast<std::size_t>(other)].pid), &here, 1, &there, 1, 0);
    if (count < 0) {
      reason = std::strerror(errno);
    } else if (std::string(read.data()) != fmt::format("lockstep doctor, rank {}", other)) {
      reason = "another process's memory was read (ranks in different PID namespaces)";
    }
  }
  examination.world.barrier();  // the neighbour may still be reading
  return reason;
}

Json probe_attach(const Examination& examination) {
  // Open MPI 5 has no such setting: it does without where it must, and says nothing.
  return {{"denied", attach_neighbour(examination)}, {"used", mpi_variable("btl_vader_single_copy_mechanism") == "cma"}};
}

Verdict judge_attach(const Case& facts) {
  Verdict verdict{"cross-memory attach between ranks of a host works"};
  const bool used = std::any_of(facts.facts.begin(), facts.facts.end(), [](const Json& fact) { return fact["used"].get<bool>(); });
  const bool denied = std::any_of(facts.facts.begin(), facts.facts.end(), [](const Json& fact) { return fact["denied"] != ""; });
  if (!used && denied) verdict.summary = "the kernel denies cross-memory attach, and Open MPI does without";
  for (const auto& [reason, ranks] : facts.by("denied")) {
    std::vector<int> hurt;
    std::copy_if(ranks.begin(), ranks.end(), std::back_inserter(hurt), [&](int rank) { return facts.of(rank)["used"].get<bool>(); });
    if (reason.empty() || hurt.empty()) continue;
    verdict.problem(
        hurt,
        "the kernel denies reading another rank's memory (process_vm_readv: " + reason + "), as containers and kernel.yama.ptrace_scope do",
        "Open MPI prints a line 'Read -1, expected ..., errno = 1' for every large message; sums stay right.",
        "mpirun --mca btl_vader_single_copy_mechanism none (srun: export OMPI_MCA_btl_vader_single_copy_mechanism=none)");
  }
  return verdict;
}

Json probe_memory(const Examination& examination) {
  if (!examination.leads_host()) return Json::object();
  const MemoryRoom room = host_memory_room();
  return {{"room", std::isfinite(room.bytes) ? Json(room.bytes) : Json()}, {"limit", room.limit}, {"option", room.option}};
}

Verdict judge_memory(const Case& facts) {
  if (facts.examination.model == nullptr) return {"no model: not looked at"};
  Verdict verdict{"memory for the model and the rows between its layers"};
  for (const std::vector<int>& ranks : facts.hosts()) {
    const Json& fact = facts.of(ranks.front());
    const TrainingPlan plan = facts.examination.plan(ranks);
    double need = plan.memory.weights;
    for (const int rank : ranks) need += plan.memory.row * static_cast<double>(plan.grains_of(rank).own_slots());
    verdict.summary = fmt::format("memory for the model and the rows between its layers, about {:.0f} MiB a host", std::ceil(need / kMiB));
    const double taken = ranks.front() == 0 ? plan.memory.taken : 0;  // rank 0 has made the model
    if (fact["room"].is_null() || need - taken <= fact["room"].get<double>()) continue;
    verdict.problem(ranks, fmt::format("{}, where training needs about {:.0f} MiB", fact["limit"].get<std::string>(), need / kMiB),
                    "lockstep train refuses to start, or the kernel kills a rank.", fact["option"].get<std::string>());
  }
  return verdict;
}

/// Files below /dev/shm that some process has mapped or open.
std::set<std::string> files_in_use() {
  std::set<std::string> used;
  std::error_code ignored;
  for (const fs::directory_entry& process : fs::directory_iterator("/proc", ignored)) {
    if (process.path().filename().string().find_first_not_of("0123456789") != std::string::npos) continue;
    std::ifstream maps(process.path() / "maps");
    for (std::string line; std::getline(maps, line);) {
      if (const std::size_t at = line.find(kShm); at != std::string::npos) used.insert(line.substr(at));
    }
    for (const fs::directory_entry& open : fs::directory_iterator(process.path() / "fd", ignored))
      used.insert(fs::read_symlink(open.path(), ignored).string());
  }
  return used;
}

/// This user's files of dead jobs: older than a minute, in nobody's use.
Json stale_shared_memory() {
  const std::set<std::string> used = files_in_use();
  std::error_code ignored;
  double bytes = 0;
  Json names = Json::array();
  for (const fs::directory_entry& file : fs::directory_iterator(kShm, ignored)) {
    const std::string name = file.path().filename().string();
    const bool of_job = name.starts_with("vader_segment.") || name.starts_with("osc_rdma.") || name.starts_with("osc_sm.") ||
                        name.starts_with("sm_segment.") || name.starts_with("lockstep.");
    if (!of_job || used.contains(file.path().string()) || access(file.path().c_str(), W_OK) != 0) continue;
    if (fs::file_time_type::clock::now() - file.last_write_time(ignored) < std::chrono::minutes(1)) continue;
    bytes += static_cast<double>(file.file_size(ignored));
    names.push_back(name);
  }
  return {{"names", names}, {"bytes", bytes}};
}

Json probe_shared(const Examination& examination) {
  Json facts;
  facts["free"] = shared_memory_free();
  if (examination.leads_host()) facts["stale"] = stale_shared_memory();
  return facts;
}

/// Bytes of /dev/shm that a job takes on the host of these ranks: Open MPI's segments, and what the ranks share in training.
double shared_bytes(const Examination& examination, const std::vector<int>& ranks) {
  const double bytes = static_cast<double>(ranks.size()) * 1.125 * mpi_shared_file();
  return examination.model == nullptr ? bytes : bytes + examination.plan(ranks).memory.shared;
}

Verdict judge_shared(const Case& facts) {
  Verdict verdict{"room in /dev/shm, nothing left over in it"};
  for (const std::vector<int>& ranks : facts.hosts()) {
    const Json& fact = facts.of(ranks.front());
    const auto free = fact["free"].get<double>();
    if (free < 0) {
      verdict.problem(ranks, "no /dev/shm", "Ranks of one host cannot share memory.", "mount -t tmpfs tmpfs /dev/shm");
      continue;
    }
    const double need = shared_bytes(facts.examination, ranks);
    if (ranks.size() > 1 && free < need) {
      verdict.problem(
          ranks, fmt::format("{:.0f} MiB free in /dev/shm, where {} ranks need about {:.0f} MiB", free / kMiB, ranks.size(), need / kMiB),
          "A rank ends with SIGBUS or 'No space left on device' when it touches memory that is not there.", shared_memory_option(2 * need));
    }
    if (fact["stale"]["names"].empty()) continue;
    verdict.warning({ranks.front()},
                    fmt::format("{} files of dead jobs in /dev/shm, {:.0f} MiB: {}", fact["stale"]["names"].size(),
                                fact["stale"]["bytes"].get<double>() / kMiB, fact["stale"]["names"][0].get<std::string>()),
                    "They hold memory until the host restarts.",
                    "on that host: rm /dev/shm/" + fact["stale"]["names"][0].get<std::string>() + " ...");
  }
  return verdict;
}

double limit(int resource) {
  rlimit value{};
  getrlimit(static_cast<__rlimit_resource>(resource), &value);
  return value.rlim_cur == RLIM_INFINITY ? -1 : static_cast<double>(value.rlim_cur);
}

/// "" or what a run of this rank would end with.
std::string denied(const Examination& examination) {
  const RunConfig* const config = examination.config;
  const int threads = threads_for_rank(examination.world, config == nullptr ? 0 : config->fit.threads);
  try {
    check_rank_limits(examination.world, threads, config == nullptr || config->coordinator);
    return "";
  } catch (const Error& error) {
    return error.what();
  }
}

Json probe_limits(const Examination& examination) {
  std::ifstream pattern("/proc/sys/kernel/core_pattern");
  std::string core;
  std::getline(pattern, core);
  std::error_code ignored;
  return {{"denied", denied(examination)},
          {"locked", limit(RLIMIT_MEMLOCK)},
          {"dumps", limit(RLIMIT_CORE) != 0 && !core.starts_with('|')},
          {"rdma", fs::exists("/sys/class/infiniband", ignored) && !fs::is_empty("/sys/class/infiniband", ignored)}};
}

Verdict judge_limits(const Case& facts) {
  Verdict verdict{"open files, threads, address space, locked memory, core dumps"};
  for (const auto& [text, ranks] : facts.by("denied")) {
    if (!text.empty()) {
      verdict.problem(ranks, text, "A run ends with this message before its first step.", "what the message says; before the launcher");
    }
  }
  std::vector<int> locked, dumps;
  for (int rank = 0; rank < facts.ranks(); ++rank) {
    const Json& fact = facts.of(rank);
    if (fact["rdma"].get<bool>() && fact["locked"].get<double>() >= 0) locked.push_back(rank);
    if (fact["dumps"].get<bool>()) dumps.push_back(rank);
  }
  if (!locked.empty()) {
    verdict.warning(locked,
                    fmt::format("{:.0f} KiB of memory may be locked (ulimit -l), and there is an InfiniBand or RoCE card",
                                facts.of(locked.front())["locked"].get<double>() / 1024),
                    "Open MPI cannot register its buffers with the card and falls back to TCP, or stops.",
                    "ulimit -l unlimited before the launcher; Slurm: LimitMEMLOCK=infinity in "
                    "slurmd's service, PropagateResourceLimitsExcept=MEMLOCK in slurm.conf");
  }
  if (!dumps.empty()) {
    verdict.warning(dumps, "core dumps are on (ulimit -c) and go to files",
                    "A crash writes a file of the size of its memory for every rank, which may fill the disk.",
                    "ulimit -c 0 before the launcher");
  }
  return verdict;
}

}  // namespace

const std::vector<Check>& doctor_memory() {
  static const std::vector<Check> checks{{"attach", probe_attach, judge_attach},
                                         {"memory", probe_memory, judge_memory},
                                         {"shared", probe_shared, judge_shared},
                                         {"limits", probe_limits, judge_limits}};
  return checks;
}

}  // namespace lockstep
