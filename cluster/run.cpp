// The scope of MPI, and the way out of it when a rank fails.
#include <mpi.h>

#include <cstdio>
#include <cstdlib>

#include "cluster/mpi_call.h"
#include "cluster/world.h"

namespace lockstep {
namespace {

bool started_by_launcher() {
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMIX_RANK", "PMI_RANK", "PMI_SIZE", "MPI_LOCALNRANKS"}) {
    if (std::getenv(name) != nullptr) return true;
  }
  return false;
}

bool mpi_initialized() {
  int initialized = 0;
  MPI_Initialized(&initialized);
  return initialized != 0;
}

bool mpi_finalized() {
  int finalized = 0;
  MPI_Finalized(&finalized);
  return finalized != 0;
}

}  // namespace

Session::Session(int& argc, char**& argv) {
  if (!mpi_initialized()) {
    if (!started_by_launcher()) return;
    int provided = 0;
    mpi(MPI_Init_thread(&argc, &argv, MPI_THREAD_MULTIPLE, &provided), "MPI_Init_thread");
    initialised_here_ = true;
  }
  const MPI_Comm all = MPI_COMM_WORLD;
  world_ = World::over(&all);
}

Session::~Session() {
  world_ = World();
  if (initialised_here_ && !mpi_finalized()) MPI_Finalize();
}

void Session::abort(ExitCode code) {
  std::fflush(nullptr);
  if (mpi_initialized() && !mpi_finalized()) MPI_Abort(MPI_COMM_WORLD, code);
  std::_Exit(code);
}

int run(int argc, char** argv, const std::function<void(World&)>& program) {
  Session session(argc, argv);
  const World& world = session.world();
  const auto report = [](int rank, const std::string& host, const char* what) {
    std::fflush(stdout);
    std::fprintf(stderr, "[rank %d on %s] %s\n", rank, host.c_str(), what);
    std::fflush(stderr);
  };
  const auto fail = [&](const char* what, ExitCode code) -> int {  // the other ranks may wait for this one: end them too
    report(world.rank(), world.hostname(), what);
    if (world.size() == 1) return code;
    session.abort(code);
  };
  try {
    program(session.world());
    return kOk;
  } catch (const AgreedError& error) {  // every rank is here: leave in good order
    if (world.rank() == error.failing_rank()) report(error.failing_rank(), error.failing_host(), error.what());
    return error.exit_code();
  } catch (const Error& error) {
    return fail(error.what(), error.exit_code());
  } catch (const std::exception& error) {
    return fail(error.what(), kFailed);
  } catch (...) {
    return fail("an exception of unknown type", kFailed);
  }
}

}  // namespace lockstep
