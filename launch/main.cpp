// The lockstep command: one file per sub-command, errors printed in one place.
#include <CLI/CLI.hpp>
#include <cstdio>
#include <exception>

#include "cluster/error.h"
#include "launch/commands.h"

int main(int argc, char** argv) {
  CLI::App app{"Lockstep: distributed data-parallel training on CPU clusters (Keras models, oneDNN, HDF5, MPI, gRPC)"};
  app.name("lockstep");
  app.set_version_flag("--version", LOCKSTEP_VERSION);
  app.require_subcommand(1);
  app.failure_message(CLI::FailureMessage::help);
  lockstep::add_status(app);
  lockstep::add_watch(app);
  lockstep::add_checkpoint(app);
  lockstep::add_stop(app);
  lockstep::add_data(app);
  try {
    app.parse(argc, argv);
    return lockstep::kOk;
  } catch (const CLI::ParseError& e) {
    return app.exit(e) == 0 ? lockstep::kOk : lockstep::kUsage;
  } catch (const lockstep::Error& e) {
    std::fprintf(stderr, "lockstep: %s\n", e.what());
    return e.exit_code();
  } catch (const std::exception& e) {
    std::fprintf(stderr, "lockstep: %s\n", e.what());
    return lockstep::kFailed;
  }
}
