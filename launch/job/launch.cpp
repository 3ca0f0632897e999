// lockstep launch: starts a job, and starts it again from its last checkpoint when it fails, on the hosts that are left.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <filesystem>
#include <memory>
#include <thread>

#include "cluster/error.h"
#include "cluster/json.h"
#include "cluster/output.h"
#include "cluster/watchdog/signals.h"
#include "io/files/file_bytes.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/job/child_process.h"
#include "launch/job/job_command.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;
using Clock = std::chrono::steady_clock;
using std::chrono::seconds;

constexpr std::chrono::milliseconds kLook{100};
constexpr seconds kProbe{15};  // for a process to start on a host
constexpr seconds kToEnd{15};  // for a job that has told why it ends

struct LaunchOptions {
  int max_restarts = 3, min_ranks = 1;
  std::vector<std::string> words;
};

/// What RUN_DIR/fault.json says that a job has ended for.
struct Fault {
  std::int64_t step = -1;
  std::string message;
};

template <class... Arguments>
void say(fmt::format_string<Arguments...> format, Arguments&&... arguments) {
  fmt::print(stderr, "lockstep launch: {}\n", fmt::format(format, std::forward<Arguments>(arguments)...));
}

class Supervisor {
 public:
  explicit Supervisor(const LaunchOptions& options) : options_(options), job_(options.words) {}
  int operator()();

 private:
  int run_once();
  bool pass_on_signals(ChildProcess& child);
  std::optional<Fault> fault() const;
  fs::path fault_file() const { return fs::path(job_.run_dir()) / "fault.json"; }
  bool may_run_again(int code);
  bool drop_dead_hosts();
  std::uintmax_t logged() const;
  bool finished() const;
  bool can_start() const;

  const LaunchOptions& options_;
  JobCommand job_;
  StopSignals signals_{StopSignals::Second::counts};
  const Output output_;
  int passed_on_ = 0;  // how many signals
  int restarts_ = 0;
  bool started_ = false;  // once, that a rank could write its log
  std::optional<Fault> last_;
};

std::string text_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += (text.empty() ? "" : " ") + word;
  return text;
}

std::optional<Fault> Supervisor::fault() const {
  try {
    const Json json = Json::parse(read_file(fault_file().string()));
    return Fault{json.value("step", std::int64_t{-1}),
                 fmt::format("[rank {} on {}] {}", json.value("rank", 0), json.value("host", ""), json.value("message", ""))};
  } catch (const std::exception&) {  // there is none, or what stands there is none
    return std::nullopt;
  }
}

/// SIGUSR1 leaves the ranks the time for a checkpoint that mpirun does not grant after SIGTERM or SIGINT. Returns whether the job is to be
/// killed.
bool Supervisor::pass_on_signals(ChildProcess& child) {
  const int asked = signals_.received() == 0 ? 0 : std::max(1, signals_.count());
  for (; passed_on_ < asked; ++passed_on_) {
    if (passed_on_ == 0) {
      say("{}: the job is asked for a checkpoint and its end", signal_name(signals_.received()));
    } else if (passed_on_ == 1) {
      say("a second signal: the ranks are told to leave at once");
    } else {
      say("a third signal: killing {}", options_.words.at(0));
      return true;
    }
    child.signal(SIGUSR1);
  }
  return false;
}

/// Bytes in the logs of the ranks.
std::uintmax_t Supervisor::logged() const {
  std::error_code none;
  std::uintmax_t bytes = 0;
  for (const fs::directory_entry& file : fs::directory_iterator(fs::path(job_.run_dir()) / "logs", none))
    bytes += file.is_regular_file(none) ? file.file_size(none) : 0;
  return bytes;
}

/// Whether result.json says that training came to its end.
bool Supervisor::finished() const try {
  const Json result = Json::parse(read_file((fs::path(job_.run_dir()) / "result.json").string()));
  return !result.at("ended").get<std::string>().starts_with("interrupted");
} catch (const std::exception&) {
  return false;
}

int Supervisor::run_once() {
  std::error_code none;
  fs::remove(fault_file(), none);
  const std::uintmax_t before = logged();
  ChildProcess child(job_.words(), ChildProcess::Output::relayed);
  std::optional<Clock::time_point> failed_at;
  for (;;) {
    if (const std::optional<int> code = child.exit_code()) {
      const bool trained = logged() > before;
      started_ = started_ || trained;
      if (*code != kOk || !trained || finished()) return *code;
      say("{} has ended with exit code 0, but training has not come to its end", options_.words.at(0));  // Open MPI 5, when a host is lost
      return kFailed;
    }
    if (pass_on_signals(child)) return 128 + SIGKILL;
    if (!failed_at && fs::exists(fault_file(), none)) failed_at = Clock::now();
    if (failed_at && Clock::now() - *failed_at > kToEnd) {
      say("the job has failed, but {} does not end: killing it", options_.words.at(0));
      return 128 + SIGKILL;
    }
    std::this_thread::sleep_for(kLook);
  }
}

/// Starts all of these beside each other; the exit codes of those that end in time.
std::vector<std::optional<int>> exit_codes(const std::vector<std::vector<std::string>>& commands) {
  std::vector<std::unique_ptr<ChildProcess>> children;
  for (const auto& words : commands) children.push_back(std::make_unique<ChildProcess>(words, ChildProcess::Output::discarded));
  std::vector<std::optional<int>> codes;
  const Clock::time_point end = Clock::now() + kProbe;
  for (const auto& child : children) {
    while (!child->exit_code() && Clock::now() < end) std::this_thread::sleep_for(kLook);
    codes.push_back(child->exit_code());
  }
  return codes;
}

/// Whether the launcher finds the program and runs it at all, which an exit code does not tell: mpirun's own ones are those of signals,
/// too.
bool Supervisor::can_start() const { return exit_codes({job_.version_probe()}).front() == kOk; }

/// Where the launcher can start no process any more. Returns whether the job has changed by it, or may find other hosts the next time.
bool Supervisor::drop_dead_hosts() {
  if (job_.hosts().size() < 2) return false;
  std::vector<std::vector<std::string>> probes;
  for (const JobCommand::Host& host : job_.hosts()) probes.push_back(job_.probe(host.name, {"true"}));
  const std::vector<std::optional<int>> codes = exit_codes(probes);
  std::vector<std::string> dead;
  for (std::size_t i = 0; i < codes.size(); ++i) {
    if (codes[i] == kOk) continue;
    // One that has failed is asked once more, alone: Open MPI's mpiruns that start and end beside each other clear away each other's
    // directories.
    if (codes[i] && exit_codes({probes[i]}).front() == kOk) continue;
    dead.push_back(job_.hosts()[i].name);
  }
  if (dead.empty()) return false;
  if (dead.size() == job_.hosts().size()) {
    say("no host answers; trying all of them again");
    return true;
  }
  const std::optional<int> ranks = job_.drop(dead);
  say("{} can start no process any more; going on with {} ranks", text_of(dead), ranks.value_or(0));
  return true;
}

bool Supervisor::may_run_again(int code) {
  if (code == kOk || code == kRunAgain || code == kUsage) return false;
  const std::optional<Fault> now = fault();
  say("the job has failed with exit code {}{}", code, now ? ": " + now->message : " and left no diagnosis");
  if (signals_.received() != 0) return false;
  if (now && last_ && now->step >= 0 && now->step == last_->step) {
    say("it has failed at step {} twice: running it again would not help", now->step);
    return false;
  }
  last_ = now;
  if (restarts_ == options_.max_restarts) {
    say("it has been started again {} times, which is --max-restarts", restarts_);
    return false;
  }
  if (std::error_code none; started_ && !fs::exists(job_.run_dir(), none)) {
    say("{} is gone: a job started again would begin from nothing", job_.run_dir());
    return false;
  }
  const bool other_hosts = drop_dead_hosts();
  if (!started_ && !now && !other_hosts && (code < 128 || !can_start())) {  // a crash while ranks connect may not come again
    say("no rank has come to train (see the messages above): running it again would not help");
    return false;
  }
  if (job_.ranks() && *job_.ranks() < options_.min_ranks) {
    say("{} ranks are left, fewer than --min-ranks {}", *job_.ranks(), options_.min_ranks);
    return false;
  }
  return signals_.received() == 0;
}

int Supervisor::operator()() {
  if (isatty(STDOUT_FILENO) != 0) setenv("LOCKSTEP_TERMINAL", "1", 1);  // for the progress bar: the job itself prints to a pipe
  job_.go_on_in(fmt::format("runs/{}-{:%Y%m%d-%H%M%S}", job_.name(), fmt::localtime(std::time(nullptr))));
  for (;; ++restarts_) {
    say("{}{}", restarts_ > 0 ? fmt::format("restart {} of {}: ", restarts_, options_.max_restarts) : "", text_of(job_.words()));
    const int code = run_once();
    if (!may_run_again(code)) return code;
  }
}

}  // namespace

void add_launch(Command& app) {
  auto options = std::make_shared<LaunchOptions>();
  Command launch = app.add_command("launch", "Run a training job under mpirun and start it again from its last checkpoint when it fails");
  launch.option("--max-restarts", options->max_restarts, "How often it is started again at most").at_least(0).show_default();
  launch.option("--min-ranks", options->min_ranks, "With fewer ranks than these left it is not").at_least(1).show_default();
  launch.option("command", options->words, "mpirun ARGUMENTS lockstep train ARGUMENTS, behind --").required();
  launch.footer(
      "Example:\n"
      "  lockstep launch --max-restarts 5 -- mpirun --host a:4,b:4 lockstep train configs/fashion_mnist.yaml --run-dir runs/long\n\n"
      "Hosts of --host or --hostfile on which nothing can be started any more are left out. Two failures at the same step end it, and\n"
      "one before any rank has come to train: a wrong program, option or file. SIGUSR1, SIGTERM, SIGHUP, SIGXCPU and Ctrl-C ask the\n"
      "job for a checkpoint and its end; a second signal ends the ranks at once, a third kills the job. A terminal or pipe that\n"
      "nobody reads does not hold the job up. Exit code: the job's; 75, after a signal, is passed on.");
  launch.callback([options] { throw Exit{Supervisor(*options)()}; });
}

}  // namespace lockstep
