#include <unistd.h>

#include <array>
#include <cstdio>
#include <cstdlib>
#include <memory>

#include "cluster/error.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/steer/coordinator_target.h"

namespace lockstep {
namespace {

struct StopOptions {
  CoordinatorTarget target;
  std::string message;
  bool no_checkpoint = false;
  bool wait = false;
};

std::string who_asks() {
  std::array<char, 256> host{};
  gethostname(host.data(), host.size() - 1);
  const char* user = std::getenv("USER");
  return "stop requested by " + (user != nullptr ? std::string(user) : "user " + std::to_string(getuid())) + " on " + host.data();
}

void stop(const StopOptions& options) {
  const CoordinatorClient client = options.target.connect();
  const auto ask = [&] { client.stop(options.message.empty() ? who_asks() : options.message, !options.no_checkpoint); };
  if (!options.wait) {
    ask();
    std::printf("the run will stop after the current step%s\n", options.no_checkpoint ? "" : ", with a checkpoint");
    return;
  }
  bool asked = false;  // watch first: a run that obeys within a millisecond would be gone before a watch begins
  const Status last = client.watch(std::chrono::seconds(5), [&](const Status& status) {
    if (!asked && !is_final(status.phase)) ask();
    asked = true;
    return true;
  });
  if (last.phase == Phase::failed) throw Error("the run failed: " + last.reason);
  if (!is_final(last.phase)) throw Error("the coordinator ended before the run told why");
  std::printf("the run finished: %s\n", last.reason.c_str());
}

}  // namespace

void add_stop(Command& app) {
  auto options = std::make_shared<StopOptions>();
  Command command = app.add_command("stop", "End a run after its current step, with a checkpoint");
  options->target.declare(command);
  command.option("--message", options->message, "goes into the run's reason; default: who asks");
  command.flag("--no-checkpoint", options->no_checkpoint, "write no checkpoint");
  command.flag("--wait", options->wait, "wait until the run has ended and print why it did");
  command.callback([options] { stop(*options); });
}

}  // namespace lockstep
