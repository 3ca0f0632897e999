#include <algorithm>
#include <chrono>
#include <cstdio>
#include <memory>

#include "cluster/error.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/steer/coordinator_target.h"
#include "launch/steer/status_view.h"
#include "launch/terminal.h"

namespace lockstep {
namespace {

constexpr std::size_t kLinesBesideRanks = 14;  // of the table, with the prompt

struct WatchOptions {
  CoordinatorTarget target;
  double interval = 0;  // seconds; 0: by the kind of terminal
  bool once = false;
};

std::vector<std::string> table(const Status& status) {
  const TerminalSize size = terminal_size();
  return status_table(status, size.columns, size.rows > kLinesBesideRanks ? size.rows - kLinesBesideRanks : 1);
}

std::chrono::milliseconds interval(const WatchOptions& options, bool redraw) {
  const double seconds = options.interval > 0 ? options.interval : redraw ? 0.5 : 5.0;
  return std::chrono::milliseconds(static_cast<std::int64_t>(1000 * seconds));
}

void watch(const WatchOptions& options) {
  if (const auto ended = options.target.ended()) throw Exit{print_ended(*ended, false)};
  const CoordinatorClient client = options.target.connect();
  if (options.once) {
    RedrawnText().draw(table(client.status()));
    return;
  }
  const bool redraw = terminal_can_redraw();
  RedrawnText screen;
  const Status last = client.watch(interval(options, redraw), [&](const Status& status) {
    if (redraw) {
      screen.draw(table(status));
    } else {
      std::printf("%s\n", status_line(status).c_str());
      std::fflush(stdout);
    }
    return true;
  });
  if (!is_final(last.phase)) throw Error("the coordinator ended before the run told why");
  if (last.phase == Phase::failed) throw Error("the run failed: " + last.reason);
  std::printf("the run finished: %s\n", last.reason.c_str());
}

}  // namespace

void add_watch(Command& app) {
  auto options = std::make_shared<WatchOptions>();
  Command command = app.add_command("watch", "Watch a run until it ends: bars, metrics, rates, a row per rank");
  options->target.declare(command);
  command.flag("--once", options->once, "show it once and leave");
  command.option("--interval", options->interval, "seconds between updates (0.5 on a terminal, else 5)").in_range(0.05, 3600.0);
  command.footer(
      "Of a run that has ended it shows the end. Exit code: 0 for a run that has "
      "finished or was stopped; 1 for one that has failed or was killed.");
  command.callback([options] { watch(*options); });
}

}  // namespace lockstep
