// What must be the same on every rank: programs, libraries, instruction sets. And how the launcher started them.
#include "cluster/versions.h"

#include <fmt/format.h>

#include <cstdlib>

#include "io/files/file_bytes.h"
#include "io/run/versions.h"
#include "launch/doctor/doctor.h"
#include "launch/doctor/report.h"

namespace lockstep {

namespace {

Json probe_versions(const Examination& examination) {
  Json facts;
  for (const auto& [library, version] : all_versions()) facts[library] = version;
  facts["MPI it was built with"] = mpi_built_with();
  examination.trying("versions: reading /proc/self/exe");
  facts["program"] = hex_digest(Digest::sha256, read_file("/proc/self/exe")).substr(0, 12);
  return facts;
}

std::string values_text(const Case& facts, const std::map<std::string, std::vector<int>>& values) {
  std::string text;
  for (const auto& [value, ranks] : values)
    text += fmt::format("{}{} on {}", text.empty() ? "" : "; ", value, ranks_text(facts.examination, ranks));
  return text;
}

struct Remedy {
  const char *effect, *fix;
};

Remedy remedy(const std::string& what) {
  if (what == "ISA") {
    return {
        "Ranks sum in another order: training no longer gives the same bits at every number of ranks, and the slowest rank sets the pace.",
        "ask for nodes of one kind (sbatch --constraint=...), or "
        "export ONEDNN_MAX_CPU_ISA=AVX2 (the least that all have) "
        "on every rank: mpirun -x ONEDNN_MAX_CPU_ISA"};
  }
  if (what == "MPI" || what == "MPI it was built with") {
    return {"Ranks that speak different versions of MPI hang or crash in the first messages.",
            "install one Open MPI on all hosts; look at LD_LIBRARY_PATH and PATH there: mpirun -x LD_LIBRARY_PATH, or mpirun --prefix DIR"};
  }
  if (what == "program") {
    return {"Ranks run different builds; what they send to each other may not fit.",
            "start the command by a path on a shared file system, or install it anew on all hosts"};
  }
  return {"Numbers may differ between ranks, and files that one writes may not open on another.",
          "install the same packages on all hosts; look at LD_LIBRARY_PATH there"};
}

Verdict judge_versions(const Case& facts) {
  const Json& first = facts.of(0);
  Verdict verdict{fmt::format("lockstep {}, {}, oneDNN {} ({}), HDF5 {}, the same on all ranks", first["lockstep"].get<std::string>(),
                              first["MPI"].get<std::string>(), first["oneDNN"].get<std::string>(), first["ISA"].get<std::string>(),
                              first["HDF5"].get<std::string>())};
  for (const auto& [what, value] : first.members()) {
    const auto values = facts.by(what);
    if (values.size() < 2) continue;
    const auto [effect, fix] = remedy(what);
    verdict.problem({}, what + " differs: " + values_text(facts, values), effect, fix);
  }
  std::vector<int> mixed;
  for (int rank = 0; rank < facts.ranks(); ++rank) {
    if (facts.of(rank)["MPI"] != facts.of(rank)["MPI it was built with"]) mixed.push_back(rank);
  }
  if (!mixed.empty()) {
    const Json& one = facts.of(mixed.front());
    verdict.problem(
        mixed, fmt::format("built with {}, runs with {}", one["MPI it was built with"].get<std::string>(), one["MPI"].get<std::string>()),
        "Two MPI libraries are mixed: constants and structures may mean different things.",
        "build Lockstep with the MPI of this system, or set LD_LIBRARY_PATH to the one it was built with");
  }
  return verdict;
}

Json probe_launch(const Examination&) {
  Json facts;
  const auto note = [&facts](const char* key, const char* variable) {
    if (const char* value = std::getenv(variable); value != nullptr) facts[key] = value;
  };
  note("step_tasks", "SLURM_STEP_NUM_TASKS");
  note("mpirun", "OMPI_COMM_WORLD_SIZE");
  facts["job_tasks"] = 0;
  if (const char* tasks = std::getenv("SLURM_NTASKS"); tasks != nullptr) facts["job_tasks"] = std::atoi(tasks);
  return facts;
}

Verdict judge_launch(const Case& facts) {
  const bool mpirun = facts.of(0).contains("mpirun"), srun = facts.of(0).contains("step_tasks");
  Verdict verdict{fmt::format("{}", mpirun ? "started by mpirun"
                                    : srun ? "started by srun, joined by MPI"
                                           : "one process without a launcher")};
  const int tasks = facts.of(0)["job_tasks"].get<int>();
  if (tasks > 1 && facts.ranks() < tasks && !srun) {
    verdict.warning({}, fmt::format("{} of the {} tasks that the Slurm job has asked for (SLURM_NTASKS)", facts.ranks(), tasks),
                    "The other tasks' cores stay idle.", "mpirun without -np, or srun --mpi=pmix");
  }
  return verdict;
}

}  // namespace

const std::vector<Check>& doctor_versions() {
  static const std::vector<Check> checks{{"launch", probe_launch, judge_launch}, {"version", probe_versions, judge_versions}};
  return checks;
}

}  // namespace lockstep
