#include "cluster/run.h"

#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <climits>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <optional>
#include <string_view>
#include <system_error>
#include <thread>

#include "cluster/host/process_limits.h"
#include "cluster/mpi_call.h"
#include "cluster/mpi_variables.h"
#include "cluster/network/mpi_ports.h"
#include "cluster/watchdog/crash_report.h"
#include "cluster/watchdog/deadline.h"

namespace lockstep {
namespace {

/// MPI_Init waits for all ranks, and no watchdog is there to tell which one does not come. The lowest rank that waits speaks first.
Deadline init_deadline() {
  constexpr double kPatience = 60, kEnd = 300, kLater = 1;
  const int rank = launcher_rank();
  char host[HOST_NAME_MAX + 1] = "";
  gethostname(host, sizeof host - 1);
  const double patience =
      rank <= 1 ? kPatience + kLater * rank : kEnd;  // two warnings are enough: one of these ranks may be the one that hangs
  return {patience, kEnd + kLater * std::clamp(rank, 0, 60),
          "[rank " + std::to_string(rank) + " on " + host +
              "] MPI_Init has not returned for a minute or more: a rank was not started, is stopped, or "
              "cannot be reached; lockstep doctor, started in the same way, looks for the cause"};
}

bool started_by_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

/// Launchers that MPI does not understand start N processes of which each believes to be alone; N copies of a run would then overwrite each
/// other's files.
void check_launcher(int ranks) {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    const char* const text = std::getenv(name);
    const int started = text == nullptr ? 0 : std::atoi(text);
    if (started <= 1 || ranks > 1) continue;
    throw Error("the launcher has started " + std::to_string(started) + " processes (" + name +
                    "), but MPI did not join them; use Open MPI's mpirun, or srun --mpi=pmix",
                kUsage);
  }
}

bool mpi_initialized() {
  int initialized = 0;
  MPI_Initialized(&initialized);
  return initialized != 0;
}

/// Open MPI 5 aborts all ranks at once when one is gone, and none says which, unless mpi_ft_enable is set. Its messages (pml) must then be
/// ob1's: with cm, which takes networks of libfabric, MPI_Init crashes. Nobody's choice is ob1 on hosts without such devices.
void outlive_lost_ranks() {
  const char* const pml = std::getenv("OMPI_MCA_pml");
  std::error_code none;
  const auto has_devices = [&](const char* devices) {
    return std::filesystem::directory_iterator(devices, none) != std::filesystem::directory_iterator();
  };
  const bool ob1 =
      pml != nullptr ? std::string_view(pml) == "ob1" : !has_devices("/sys/class/infiniband") && !has_devices("/sys/class/cxi");
  if (ob1) setenv("OMPI_MCA_mpi_ft_enable", "1", 0);
}

/// MPI's sockets to a rank that has died raise SIGPIPE: this rank would die of it, too, before it has told which one it was.
void survive_lost_connections() {
  struct sigaction action {};
  sigaction(SIGPIPE, nullptr, &action);
  if (action.sa_handler == SIG_DFL) std::signal(SIGPIPE, SIG_IGN);
}

bool mpi_finalized() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  return finalized != 0;
}

std::string speaker(int rank, const std::string& host) { return "[rank " + std::to_string(rank) + " on " + host + "] "; }

}  // namespace

int launcher_rank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK", "PMI_RANK", "SLURM_PROCID"}) {
    if (const char* const text = std::getenv(name)) return std::atoi(text);
  }
  return 0;
}

void leave_it_to_rank_0() {
  if (launcher_rank() > 0 && !mpi_initialized()) std::this_thread::sleep_for(std::chrono::seconds(5));
}

Session::Session(int& argc, char**& argv) {
  const bool embedded = mpi_initialized();
  mark_told_crash(nullptr);  // looks at the environment as the launcher has left it
  const std::vector<OpenPort> before = open_ports();
  if (!embedded && started_by_launcher()) {
    int provided = 0;
    const Deadline deadline = init_deadline();
    outlive_lost_ranks();
    std::optional<MpiSettings> settings;
    if (all_ranks_here()) leave_out_network(settings.emplace());
    mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
    initialised_here_ = true;
    survive_lost_connections();
  }
  if (mpi_initialized()) {
    const MPI_Comm all = MPI_COMM_WORLD;
    world_ = World::over(&all);
  }
  if (initialised_here_ && world_.hosts() > 1) guard_ports(world_, before);
  if (!embedded) check_launcher(world_.size());
  report_crashes(speaker(world_.rank(), world_.hostname()), world_.rank());
}

Session::~Session() {
  const bool finalizes = initialised_here_ && !mpi_finalized();
  std::optional<Deadline> deadline;  // MPI_Finalize waits for all ranks, too, but one of them may still be at work: nothing is ended
  if (const int rank = world_.rank(); finalizes && rank <= 1) {
    deadline.emplace(60 + rank, std::nullopt,
                     "[rank " + std::to_string(rank) + " on " + world_.hostname() +
                         "] this rank is done, but MPI_Finalize has not returned for a minute: another rank is still at work, has been "
                         "stopped, or cannot be reached");
  }
  world_ = World();
  if (finalizes) MPI_Finalize();
}

void Session::abort(ExitCode code) {
  std::fflush(nullptr);
  if (mpi_initialized() && !mpi_finalized()) MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

namespace {

void report(int rank, const std::string& host, const char* what) {
  std::fflush(stdout);
  std::fprintf(stderr, "%s%s\n", speaker(rank, host).c_str(), what);
  std::fflush(stderr);
}

int run_in(Session& session, const std::function<void(World&)>& program) {
  const World& world = session.world();
  const auto fail = [&](const char* what, ExitCode code) -> int {  // the other ranks may wait for this one: end them too
    report(world.rank(), world.hostname(), what);
    if (world.size() == 1) return code;
    session.abort(code);
  };
  try {
    program(session.world());
    return kOk;
  } catch (const AgreedExit& exit) {
    return exit.code;
  } catch (const AgreedError& error) {  // every rank is here: leave in good order
    if (world.rank() == error.failing_rank()) report(error.failing_rank(), error.failing_host(), error_text(error).c_str());
    return error.exit_code();
  } catch (const Error& error) {
    return fail(error_text(error).c_str(), error.exit_code() == kOk ? kFailed : error.exit_code());
  } catch (const std::exception& error) {
    return fail(error_text(error).c_str(), kFailed);
  } catch (...) {
    return fail("an exception of unknown type", kFailed);
  }
}

}  // namespace

int run(int argc, char** argv, const std::function<void(World&)>& program) {
  survive_file_size_limit();
  save_address_space();
  raise_open_files();
  try {
    if (started_by_launcher() && !mpi_initialized()) check_before_mpi();
    Session session(argc, argv);
    return run_in(session, program);
  } catch (const Error& error) {  // there is no session
    report(launcher_rank(), World().hostname(), error_text(error).c_str());
    return error.exit_code();
  }
}

}  // namespace lockstep
