#pragma once
#include <functional>

#include "cluster/world.h"

// The scope of MPI, and the way out of it when a rank fails.
namespace lockstep {

/// The rank that the launcher (mpirun, srun) has given to this process, from its environment: known before MPI is initialised. 0 without a
/// launcher.
int launcher_rank();

/// For an error of all ranks before MPI is initialised: lets rank 0 alone tell it. The other ranks wait here for 5 s, or until the launcher
/// ends them because rank 0 has ended. If one of them ended first, the launcher would end rank 0 before it has told anything.
void leave_it_to_rank_0();

/// The scope of MPI. Initialises it (MPI_THREAD_MULTIPLE) when the process was started by an MPI launcher, uses it as it is when the
/// embedding program has done so already, and leaves it alone otherwise; finalises only what it has initialised, and ignores SIGPIPE from
/// then on. MPI_Init and MPI_Finalize wait for all ranks: after a minute it says so; where MPI_Init does not return, it ends the process
/// after five. Leaving the scope by an exception that the other ranks do not know of would hang them: use lockstep::run, which ends the
/// job.
class Session {
 public:
  /// Error (kUsage) if the launcher has started several processes that MPI did not join.
  Session(int& argc, char**& argv);
  ~Session();
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  World& world() { return world_; }
  /// Ends all ranks at once with this exit code; does not return.
  [[noreturn]] void abort(ExitCode code);

 private:
  bool initialised_here_ = false;
  World world_;
};

/// Runs a program on all ranks: `return lockstep::run(argc, argv, my_main);`. An exception on any rank is printed as
/// "[rank 2 on node17] what", once for errors that all ranks agree on, and ends the job on all ranks; the return value is its exit code.
int run(int argc, char** argv, const std::function<void(World&)>& program);

}  // namespace lockstep
