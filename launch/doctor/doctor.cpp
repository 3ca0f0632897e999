// lockstep doctor: runs the checks on all ranks, none longer than a deadline, and tells what it has found.
#include "launch/doctor/doctor.h"

#include <fmt/format.h>
#include <unistd.h>

#include <array>
#include <chrono>
#include <condition_variable>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <mutex>
#include <thread>

#include "cluster/run.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/doctor/launcher.h"
#include "launch/doctor/report.h"

namespace lockstep {
namespace {

struct DoctorArguments {
  std::string config, run_dir = "runs";
  std::vector<std::string> sets;
  int timeout = 30;
  bool json = false;
};

/// Rank 0's report; other ranks' stays silent. It is told by the watchdog if the job hangs.
class Report {
 public:
  Report(bool json, bool tells) : json_(json), tells_(tells) {}

  void add(const Examination& examination, const std::string& check, const Verdict& verdict) {
    for (const Finding& finding : verdict.findings) ++(finding.severity == Severity::problem ? problems_ : warnings_);
    const std::string text = report_text(examination, check, verdict);
    const std::lock_guard lock(mutex_);
    checks_.push_back(report_json(examination, check, verdict));
    if (tells_ && !json_) fmt::print("{}", text);
    std::fflush(stdout);
  }

  void heading(const std::string& line) const {
    if (tells_ && !json_) fmt::print("{}\n\n", line);
    std::fflush(stdout);
  }

  /// The last line; the exit code.
  int end(const Json& job) {
    const std::lock_guard lock(mutex_);
    const int problems = problems_, warnings = warnings_;
    if (tells_ && json_) {
      fmt::print("{}\n", Json{{"problems", problems}, {"warnings", warnings}, {"job", job}, {"checks", checks_}}.dump(2));
    } else if (tells_) {
      fmt::print("\n{} {}, {} {}\n", problems, problems == 1 ? "problem" : "problems", warnings, warnings == 1 ? "warning" : "warnings");
    }
    std::fflush(stdout);
    return problems > 0 ? kFailed : kOk;
  }

 private:
  const bool json_, tells_;
  std::mutex mutex_;
  Json checks_ = Json::array();
  int problems_ = 0, warnings_ = 0;
};

/// Ends the process when something takes longer than the deadline: first each rank that is busy with more than waiting tells what with,
/// rank 0 a second later ends the report. The launcher then ends the others.
class Watchdog {
 public:
  explicit Watchdog(int seconds) : limit_(seconds), thread_([this] { watch(); }) {}
  ~Watchdog() {
    {
      const std::lock_guard lock(mutex_);
      over_ = true;
    }
    changed_.notify_all();
    thread_.join();
  }
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// From here on the deadline counts anew.
  void trying(const std::string& what, bool waits = false) {
    const std::lock_guard lock(mutex_);
    what_ = what;
    waits_ = waits;
    since_ = Clock::now();
    changed_.notify_all();
  }
  /// `hung` is called on rank 0 before it ends the process.
  void when_hung(int rank, std::function<void(const std::string&)> hung) {
    const std::lock_guard lock(mutex_);
    rank_ = rank;
    hung_ = std::move(hung);
  }

 private:
  using Clock = std::chrono::steady_clock;

  void watch() {
    std::unique_lock lock(mutex_);
    while (!over_) {
      const auto end = since_ + limit_;
      changed_.wait_until(lock, end);
      if (over_ || Clock::now() < since_ + limit_) continue;
      const std::string what = what_;
      if (!waits_) {
        std::fprintf(stderr, "[rank %d on %s] lockstep doctor: no end after %lld s: %s\n", rank_, World().hostname().c_str(),
                     static_cast<long long>(limit_.count()), what.c_str());
        std::fflush(stderr);
      }
      changed_.wait_for(lock, std::chrono::seconds(rank_ == 0 ? 1 : 3), [this] { return over_; });
      if (over_) return;
      if (hung_) hung_(what);
      std::_Exit(kFailed);
    }
  }

  const std::chrono::seconds limit_;
  std::mutex mutex_;
  std::condition_variable changed_;
  std::string what_ = "MPI_Init";
  bool waits_ = false, over_ = false;
  int rank_ = launcher_rank();
  std::function<void(const std::string&)> hung_;
  Clock::time_point since_ = Clock::now();
  std::thread thread_;  // last: it uses all of the above
};

std::string first_line(const std::string& path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

/// Collective.
std::vector<Seat> seats(const World& world) {
  std::error_code ignored;
  const Json own{{"host", world.hostname()},
                 {"machine", first_line("/proc/sys/kernel/random/boot_id") + " " +
                                 std::filesystem::read_symlink("/proc/self/ns/net", ignored).string()},
                 {"pid", getpid()}};
  std::vector<Seat> all;
  for (const std::string& text : world.all_gather(own.dump())) {
    const Json seat = Json::parse(text);
    all.push_back(
        {seat["host"].get<std::string>(), seat["machine"].get<std::string>(), static_cast<long>(seat["pid"].get<std::int64_t>())});
  }
  return all;
}

/// A probe that fails is a fact, too.
Json probed(const Check& check, const Examination& examination) {
  try {
    return check.probe(examination);
  } catch (const std::exception& error) {
    return {{"error", error.what()}};
  }
}

Verdict judged(const Check& check, const Case& facts) {
  std::map<std::string, std::vector<int>> errors = facts.by("error");
  try {
    if (errors.empty()) return check.judge(facts);
  } catch (const std::exception& error) {
    errors[error.what()] = {0};
  }
  Verdict verdict;
  for (const auto& [error, ranks] : errors) verdict.problem(ranks, error, "A run would fail with this message.", "what the message says");
  return verdict;
}

void examine(const Examination& examination, Watchdog& watchdog, Report& report) {
  for (const auto group : {doctor_versions, doctor_cores, doctor_memory, doctor_network, doctor_clock, doctor_files, doctor_data}) {
    for (const Check& check : group()) {
      watchdog.trying(check.name);
      const std::string own = probed(check, examination).dump();
      watchdog.trying(std::string(check.name) + ": waiting for the other ranks", true);
      Case facts{examination, {}};
      for (const std::string& text : examination.world.all_gather(own)) facts.facts.push_back(Json::parse(text));
      if (examination.world.rank() == 0) report.add(examination, check.name, judged(check, facts));
    }
  }
}

/// Every rank reads the configuration that rank 0 has read, as train does. One that is wrong is a problem like any other.
std::optional<RunConfig> read_config(const DoctorArguments& arguments, const World& world, std::string& error) {
  std::optional<RunConfig> config;
  if (arguments.config.empty()) return config;
  try {
    std::string text;
    world.agree([&] {
      if (world.rank() == 0) text = read_config_file(arguments.config);
    });
    text = world.broadcast(text);
    world.agree([&] { config = parse_config(text, arguments.config, arguments.sets); });
  } catch (const AgreedError& wrong) {
    error = wrong.what();
    config.reset();
  }
  return config;
}

/// What a configuration trains, and on what.
struct Subject {
  Sequential model;
  Hdf5Dataset train;
};

/// Nothing if the model and its data do not fit; the check of the data tells it.
std::optional<Subject> make_subject(const RunConfig& config, const Examination& examination) {
  try {
    examination.trying("opening " + config.train.file);
    std::optional<Subject> subject(Subject{config.make_model(), {config.train.file, config.train.group, config.train.options}});
    subject->model.compile(config.compile);
    subject->model.check(subject->train);
    return subject;
  } catch (const Error&) {
    return std::nullopt;
  }
}

Json describe(const Examination& examination) {
  Json ranks = Json::array();
  for (const Seat& seat : examination.seats) ranks.push_back({{"rank", ranks.size()}, {"host", seat.host}, {"pid", seat.pid}});
  return {{"ranks", ranks.size()}, {"hosts", examination.world.hosts()}, {"rank_table", ranks}};
}

int doctor(const DoctorArguments& arguments, Watchdog& watchdog, const World& world) {
  Report report(arguments.json, world.rank() == 0);
  watchdog.trying("the first messages between ranks", true);
  Examination examination{
      world, nullptr, nullptr, nullptr, arguments.run_dir, seats(world), [&watchdog](const std::string& what) { watchdog.trying(what); }};
  watchdog.when_hung(world.rank(), [&](const std::string& what) {
    if (world.rank() != 0) return;
    Verdict hung;
    hung.problem({}, fmt::format("no end after {} s: {}", arguments.timeout, what), "A run would hang here.",
                 "see on stderr which ranks were busy, and with what; --timeout gives them longer");
    report.add(examination, "hang", hung);
    report.end(describe(examination));
  });
  std::string error;
  const std::optional<RunConfig> config = read_config(arguments, world, error);
  examination.config = config ? &*config : nullptr;
  std::optional<Subject> subject = config && world.rank() == 0 ? make_subject(*config, examination) : std::nullopt;
  examination.model = subject ? &subject->model : nullptr;
  examination.train = subject ? &subject->train : nullptr;
  report.heading(fmt::format("lockstep doctor: {} {} on {} {}", world.size(), world.size() == 1 ? "rank" : "ranks", world.hosts(),
                             world.hosts() == 1 ? "host" : "hosts"));
  if (!error.empty()) {
    Verdict wrong;
    wrong.problem({}, error, "lockstep train ends with exit code 2 before anything starts.", "what the message says");
    report.add(examination, "config", wrong);
  }
  examine(examination, watchdog, report);
  int code = report.end(describe(examination));
  watchdog.trying("leaving MPI", true);
  world.broadcast(std::as_writable_bytes(std::span(&code, 1)));
  return code;
}

int run_doctor(const DoctorArguments& arguments) {
  Watchdog watchdog(arguments.timeout);
  // Of the launch alone. Processes that MPI does not join would each report.
  const auto report_launch = [&](const Verdict& verdict) {
    Report report(arguments.json, launcher_rank() == 0);
    const World alone;
    report.add({alone, nullptr, nullptr, nullptr, {}, {}, {}}, "launch", verdict);
    return report.end({});
  };
  watchdog.when_hung(launcher_rank(), [&](const std::string& what) {
    if (launcher_rank() != 0) return;
    Verdict hung;
    hung.problem(
        {}, fmt::format("no end after {} s: {}", arguments.timeout, what), "A run would hang here.",
        "start as many ranks as the launcher was told; several hosts may have the same address on a network that MPI takes, as with "
        "docker0: mpirun --mca btl_tcp_if_include NETWORK, one that all hosts are on");
    report_launch(hung);
  });
  const auto without_world = [&](const Error& error) {
    Verdict verdict;
    if (error.exit_code() == kUsage) {  // MPI did not join the processes
      verdict.problem({}, error.what(), "Each process would train alone and take itself for the only one, in the same run directory.",
                      "mpirun lockstep ... inside the job, or srun --mpi=pmix lockstep ... (srun --mpi=list shows whether Slurm has pmix)");
    } else {
      verdict.problem({}, error.what(), "A job that is started in the same way ends with this message, or hangs.", "what the message says");
    }
    return report_launch(verdict);
  };
  try {
    check_launcher_environment();
    std::string name = "lockstep";
    std::array<char*, 2> argv = {name.data(), nullptr};
    int argc = 1;
    char** pointer = argv.data();
    Session session(argc, pointer);
    return doctor(arguments, watchdog, session.world());
  } catch (const Error& error) {  // of Session: there is no world
    return without_world(error);
  }
}

}  // namespace

void add_doctor(Command& app) {
  auto arguments = std::make_shared<DoctorArguments>();
  Command command =
      app.add_command("doctor", "Find what would go wrong with a job, started as the job will be: mpirun ... lockstep doctor CONFIG");
  command.option("config", arguments->config, "Configuration (YAML): its model, data and checkpoints are looked at as well");
  command.option("--set", arguments->sets, "Override a key of the configuration").type_name("KEY=VALUE").take_all();
  command.option("--run-dir", arguments->run_dir, "Where run directories are made, or the run directory itself (default: runs)");
  command.option("--timeout", arguments->timeout, "Seconds that each check may take").at_least(1);
  command.flag("--json", arguments->json, "For programs");
  command.footer(
      "It looks at: how the launcher started the ranks; versions and instruction sets; cores and threads; shared memory, limits and\n"
      "cross-memory attach; host names, networks and proxies; clocks; the file system of the run directory; the configuration's data,\n"
      "and room for its checkpoints. Each finding says what was found where, what it does to a job, and the option that mends it.\n\n"
      "Examples:\n"
      "  mpirun -np 4 lockstep doctor\n"
      "  srun --mpi=pmix lockstep doctor configs/fashion_mnist.yaml --json\n\n"
      "Exit codes: 0 no problem (warnings may be there); 1 problems; 2 wrong command line.");
  command.callback([arguments] { throw Exit{run_doctor(*arguments)}; });
}

}  // namespace lockstep
