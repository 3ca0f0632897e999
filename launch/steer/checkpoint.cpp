#include <cstdio>
#include <memory>

#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/steer/coordinator_target.h"

namespace lockstep {
namespace {

struct CheckpointOptions {
  CoordinatorTarget target;
  bool no_wait = false;
};

void save(const CheckpointOptions& options) {
  const auto written = options.target.connect().save_checkpoint(!options.no_wait);
  if (written) std::printf("%s\n", written->path.c_str());
}

}  // namespace

void add_checkpoint(Command& app) {
  auto options = std::make_shared<CheckpointOptions>();
  Command command = app.add_command("checkpoint", "Have a run write a checkpoint now; prints its path once it is complete on disk");
  options->target.declare(command);
  command.flag("--no-wait", options->no_wait, "ask for it and leave; prints nothing");
  command.callback([options] { save(*options); });
}

}  // namespace lockstep
