#include <cstdio>
#include <memory>

#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/steer/coordinator_target.h"
#include "launch/steer/status_json.h"
#include "launch/steer/status_view.h"
#include "launch/terminal.h"

namespace lockstep {
namespace {

struct StatusOptions {
  CoordinatorTarget target;
  bool json = false;
};

void print_status(const StatusOptions& options) {
  if (const auto ended = options.target.ended()) throw Exit{print_ended(*ended, options.json)};
  const Status status = options.target.connect().status();
  if (options.json) {
    std::printf("%s\n", status_json(status).c_str());
    return;
  }
  for (const std::string& line : status_table(status, terminal_size().columns, status.ranks.size())) std::printf("%s\n", line.c_str());
}

}  // namespace

void add_status(Command& app) {
  auto options = std::make_shared<StatusOptions>();
  Command command = app.add_command("status", "Show how far a run is, or how it ended, with a row per rank");
  options->target.declare(command);
  command.flag("--json", options->json, "for scripts: everything, as JSON");
  command.footer("Exit code: 0 for a run that is on its way, has finished or was stopped; 1 for one that has failed or was killed.");
  command.callback([options] { print_status(*options); });
}

}  // namespace lockstep
