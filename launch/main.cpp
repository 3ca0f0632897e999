// The lockstep command: one file per sub-command, errors printed in one place.
#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <exception>
#include <string>
#include <system_error>

#include "cluster/host/process_limits.h"
#include "cluster/output.h"
#include "cluster/run.h"
#include "cluster/watchdog/crash_report.h"
#include "io/data/data_file.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/hangup.h"

namespace lockstep {
namespace {

/// The exit code, unless something that was printed did not get where it was to go: a full disk, a closed stdout.
int ended(int code, int reason = 0) {
  if (std::fflush(stdout) != 0) reason = errno;
  if (reason == 0 && std::ferror(stdout) == 0) return code;
  const std::string why = reason != 0 ? std::string(": ") + std::strerror(reason) : "";
  std::fprintf(stderr, "lockstep: cannot write all of the output%s\n", why.c_str());
  return code == kOk ? kFailed : code;
}

/// Every rank of a job reads the same command line: one of them tells what is wrong with it. All other commands tell it wherever they are
/// started, also from a shell inside a task of a batch system, whose environment names a rank.
bool tells_errors(const std::string& command) {
  constexpr std::array kOnRanks{"train", "evaluate", "predict", "bench", "doctor"};
  if (std::find(kOnRanks.begin(), kOnRanks.end(), command) == kOnRanks.end() || launcher_rank() == 0) return true;
  for (const char* name : {"OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "SLURM_STEP_NUM_TASKS"}) {
    if (const char* const text = std::getenv(name); text != nullptr && std::atoi(text) > 1) return false;
  }
  return true;
}

}  // namespace
}  // namespace lockstep

int main(int argc, char** argv) {
  using lockstep::ended;
  lockstep::keep_hangup_ignored();
  lockstep::occupy_standard_descriptors();
  lockstep::leave_files_at_exit();
  lockstep::survive_file_size_limit();
  lockstep::report_crashes("lockstep: ", lockstep::launcher_rank());
  const lockstep::CommandLine command_line(
      "lockstep", "Lockstep: distributed data-parallel training on CPU clusters (Keras models, oneDNN, HDF5, MPI, gRPC)", LOCKSTEP_VERSION);
  lockstep::Command app = command_line.command();
  lockstep::add_train(app);
  lockstep::add_evaluate(app);
  lockstep::add_predict(app);
  lockstep::add_summary(app);
  lockstep::add_convert(app);
  lockstep::add_status(app);
  lockstep::add_watch(app);
  lockstep::add_checkpoint(app);
  lockstep::add_stop(app);
  lockstep::add_submit(app);
  lockstep::add_doctor(app);
  lockstep::add_launch(app);
  lockstep::add_data(app);
  lockstep::add_bench(app);
  lockstep::add_man(app);
  lockstep::add_completion(app);
  const bool tells = lockstep::tells_errors(argc > 1 ? argv[1] : "");
  try {
    const int code = command_line.run(argc, argv, tells);
    if (code != lockstep::kOk && !tells) lockstep::leave_it_to_rank_0();
    return ended(code);
  } catch (const lockstep::Exit& e) {
    return ended(e.code);
  } catch (const lockstep::Error& e) {
    if (tells) {
      std::fprintf(stderr, "lockstep: %s\n", lockstep::error_text(e).c_str());
    } else {
      lockstep::leave_it_to_rank_0();
    }
    return e.exit_code();
  } catch (const std::system_error& e) {
    if (std::ferror(stdout) != 0) return ended(lockstep::kFailed, e.code().value());  // {fmt} throws it
    std::fprintf(stderr, "lockstep: %s\n", e.what());
    return lockstep::kFailed;
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lockstep: %s\n", lockstep::error_text(e).c_str());
    return lockstep::kFailed;
  }
}
