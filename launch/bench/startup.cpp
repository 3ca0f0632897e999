// lockstep bench startup: from mpirun to the end of the first step, by parts, against an empty MPI program.
#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <memory>
#include <numeric>
#include <sstream>

#include "io/data/data_file.h"
#include "launch/bench/commands.h"
#include "launch/bench/model.h"
#include "launch/bench/report.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/train/training_run.h"

extern char** environ;

namespace lockstep {
namespace {

struct StartupArguments {
  std::string config;
  std::vector<std::string> sets;
  int ranks = 2;
  std::int64_t rounds = 7;
  bool json = false;
  // Of the jobs that this command starts: rank 0 writes the moments it has passed, in seconds of the monotonic clock, which all processes
  // of a host share.
  std::string moments, run_dir;
};

/// The way to the first step; the moments are the ends of these parts.
constexpr std::array<const char*, 6> kParts = {"launch", "mpi_init", "set_up", "coordinator", "fit", "first_step"};
constexpr std::array<const char*, 6> kMeanings = {"mpirun to main()",
                                                  "MPI_Init",
                                                  "configuration, data file, model, run directory",
                                                  "coordinator",
                                                  "rows into memory, primitives, exchange",
                                                  "the first step"};

const double kMainStarted = seconds_now();  // before main, after the loader

/// Writes what the starting command waits for, and ends training after the first step.
class FirstStep final : public Callback {
 public:
  FirstStep(const World& world, std::vector<double>& moments, const std::string& file) : world_(world), moments_(moments), file_(file) {}
  void on_train_begin(const FitState&) override { moments_.push_back(seconds_now()); }
  void on_train_batch_end(const FitState& state) override {
    if (state.global_step > 1 || done_) return;
    moments_.push_back(seconds_now());
    done_ = true;
    if (world_.rank() != 0) return;
    std::ofstream text(file_);
    for (const double moment : moments_) text << fmt::format("{:.9f} ", moment);
  }
  Request request() noexcept override { return {.stop = done_}; }

 private:
  const World& world_;
  std::vector<double>& moments_;
  std::string file_;
  bool done_ = false;
};

/// One job of this command: an empty MPI program, or with a run directory a training run.
void job(const StartupArguments& arguments, const World& world, StopSignals& signals) {
  std::vector<double> moments = {kMainStarted, seconds_now()};
  if (arguments.run_dir.empty()) {
    if (world.rank() == 0) std::ofstream(arguments.moments) << fmt::format("{:.9f} {:.9f}", moments[0], moments[1]);
    return;
  }
  FirstStep first(world, moments, arguments.moments);
  TrainArguments train;
  train.config = arguments.config;
  train.sets = arguments.sets;
  train.run_dir = arguments.run_dir;
  train.verbose = 0;
  TrainingObserver observer;
  observer.directory_made = observer.coordinator_up = [&] { moments.push_back(seconds_now()); };
  observer.callbacks = {&first};
  run_training(train, world, signals, observer);
}

/// A directory for the jobs' files, removed at the end.
class Folder {
 public:
  Folder() : path_((std::filesystem::temp_directory_path() / "lockstep-bench-XXXXXX").string()) {
    if (mkdtemp(path_.data()) == nullptr)
      throw Error("cannot make a directory in " + std::filesystem::temp_directory_path().string() + " (TMPDIR)");
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  std::string operator/(const std::string& name) const { return path_ + "/" + name; }

 private:
  std::string path_;
};

/// Runs a command, both outputs into a file, to its end; a failure is an Error with that text.
void run_command(std::vector<std::string> command, const std::string& output) {
  std::vector<char*> argv;
  for (std::string& word : command) argv.push_back(word.data());
  argv.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, output.c_str(), O_WRONLY | O_CREAT | O_TRUNC, 0600);
  posix_spawn_file_actions_adddup2(&actions, STDOUT_FILENO, STDERR_FILENO);
  pid_t process = 0;
  const int failed = posix_spawnp(&process, argv[0], &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (failed != 0) throw Error("bench startup: cannot start " + command[0] + ": " + std::strerror(failed));
  int status = 0;
  while (waitpid(process, &status, 0) < 0 && errno == EINTR) {
  }
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return;
  std::stringstream text;
  text << std::ifstream(output).rdbuf();
  throw Error(fmt::format("bench startup: {} failed:\n{}", fmt::join(command, " "), text.str()));
}

/// Rows like Fashion-MNIST's in number and size, for when it is not there.
void draw_data(const std::string& path) {
  constexpr std::int64_t kRows = 60'000, kSide = 28;
  std::vector<std::uint8_t> pixels(kRows * kSide * kSide), labels(kRows);
  for (std::size_t i = 0; i < pixels.size(); ++i) pixels[i] = static_cast<std::uint8_t>(i * 2654435761U >> 13U);
  for (std::size_t i = 0; i < labels.size(); ++i) labels[i] = static_cast<std::uint8_t>(i % 10);
  DataFileWriter writer(path, false);
  writer.file().write<std::uint8_t>("/train/x", {kRows, kSide, kSide}, pixels);
  writer.file().write<std::uint8_t>("/train/y", {kRows}, labels);
  writer.commit();
}

/// The command as a user starts it, alone; starts the jobs and compares them.
class StartupBench {
 public:
  explicit StartupBench(const StartupArguments& arguments);
  void operator()();

 private:
  std::vector<double> measure(const std::string& run_dir);
  std::string text(const Json& document) const;

  const StartupArguments& arguments_;
  Folder folder_;
  std::vector<std::string> command_;
  std::string config_, data_;
};

StartupBench::StartupBench(const StartupArguments& arguments) : arguments_(arguments), config_(arguments.config) {
  std::vector<std::string> sets = arguments.sets;
  if (config_.empty()) {
    config_ = folder_ / "classifier.yaml";
    std::ofstream(config_) << built_in_config();
    data_ = parse_config(built_in_config(), config_, sets).train.file;
    if (!std::filesystem::exists(data_)) {
      draw_data(folder_ / "drawn.h5");
      sets.push_back("data.train.file=" + folder_ / "drawn.h5");
      data_ = "60000 drawn rows (uint8); there is no " + data_;
    }
  } else {
    data_ = parse_config(read_config_file(config_), config_, sets).train.file;
  }
  command_ = {"mpirun", "-np", std::to_string(arguments.ranks)};
  if (arguments.ranks > sysconf(_SC_NPROCESSORS_ONLN)) command_.insert(command_.end(), {"--oversubscribe", "--bind-to", "none"});
  command_.insert(command_.end(), {std::filesystem::read_symlink("/proc/self/exe").string(), "bench", "startup", "--config", config_,
                                   "--moments", folder_ / "moments"});
  for (const std::string& set : sets) command_.insert(command_.end(), {"--set", set});
}

/// Seconds of each part of a job, and of the whole command behind them.
std::vector<double> StartupBench::measure(const std::string& run_dir) {
  std::vector<std::string> command = command_;
  if (!run_dir.empty()) command.insert(command.end(), {"--run-dir", run_dir});
  std::filesystem::remove(folder_ / "moments");
  const double start = seconds_now();
  run_command(std::move(command), folder_ / "output");
  const double end = seconds_now();
  std::vector<double> parts;
  std::ifstream moments(folder_ / "moments");
  double before = start;
  for (double moment = 0; moments >> moment; before = moment) parts.push_back(moment - before);
  if (parts.size() != (run_dir.empty() ? 2 : kParts.size())) throw Error("bench startup: a job ended well but has not told its moments");
  parts.push_back(end - start);
  return parts;
}

void StartupBench::operator()() {
  Json setting = bench_setting(World(), 1);
  setting["ranks"] = arguments_.ranks;
  Json document{{"bench", "startup"}, {"setting", setting}, {"data", data_}};
  std::vector<std::vector<double>> train, empty;
  const auto add = [](std::vector<std::vector<double>>& to, const std::vector<double>& parts) {
    to.resize(parts.size());
    for (std::size_t i = 0; i < parts.size(); ++i) to[i].push_back(parts[i]);
  };
  std::vector<double> until_step, until_init, beyond;
  for (std::int64_t round = 0; round <= arguments_.rounds; ++round) {
    const std::vector<double> none = measure(""), steps = measure(folder_ / fmt::format("run{}", round));
    if (round == 0) continue;  // programs and data into the page cache
    add(empty, none);
    add(train, steps);
    until_init.push_back(none[0] + none[1]);
    until_step.push_back(std::accumulate(steps.begin(), steps.end() - 1, 0.0));
    beyond.push_back(until_step.back() - until_init.back());
  }
  for (std::size_t i = 0; i < kParts.size(); ++i) document["parts"][kParts[i]] = to_json(spread_of(train[i]));
  document["first_step_done"] = to_json(spread_of(until_step));
  document["empty_program"] = {{"started", to_json(spread_of(until_init))}, {"whole", to_json(spread_of(empty.back()))}};
  document["beyond_empty"] = to_json(spread_of(beyond));
  print_bench(arguments_.json, document, text(document));
}

std::string StartupBench::text(const Json& document) const {
  std::string text = fmt::format("mpirun -np {} lockstep train, data {}\n\n{:<62} {:>9} {:>9} {:>9}\n", arguments_.ranks, data_, "seconds",
                                 "median", "min", "max");
  const auto line = [&](const std::string& what, const Json& spread) {
    text += fmt::format("{:<62} {:>9.3f} {:>9.3f} {:>9.3f}\n", what, spread["median"].get<double>(), spread["min"].get<double>(),
                        spread["max"].get<double>());
  };
  for (std::size_t i = 0; i < kParts.size(); ++i) line(std::string("  ") + kMeanings[i], document["parts"][kParts[i]]);
  line("first step done", document["first_step_done"]);
  line("empty MPI program: MPI_Init done", document["empty_program"]["started"]);
  line("empty MPI program: ended", document["empty_program"]["whole"]);
  line("first step done, beyond the empty program's MPI_Init", document["beyond_empty"]);
  return text;
}

}  // namespace

void add_bench_startup(Command& bench) {
  auto arguments = std::make_shared<StartupArguments>();
  Command command = bench.add_command("startup", "From mpirun to the end of the first step, by parts, against an empty MPI program");
  command.option("--config", arguments->config, "Configuration to train (default: the classifier 784-300-100-10)");
  command.option("--set", arguments->sets, "Override a key of the configuration").type_name("KEY=VALUE").take_all();
  command.option("--ranks", arguments->ranks, "Ranks to start, all on this host").show_default().at_least(1);
  command.option("--rounds", arguments->rounds, "How often to start, after once to warm up").show_default().at_least(1);
  command.flag("--json", arguments->json, "Print one JSON document");
  command.option("--moments", arguments->moments).hidden();
  command.option("--run-dir", arguments->run_dir).hidden();
  command.footer(
      "Runs mpirun itself: by turns an empty MPI program (this one, MPI_Init and MPI_Finalize alone) and `lockstep train`, which ends\n"
      "after its first step. Run directories go to a temporary directory and are removed.\n"
      "JSON: bench, setting, data, parts {launch, mpi_init, set_up, coordinator, fit, first_step}, first_step_done, empty_program\n"
      "{started, whole}, beyond_empty; seconds.\n\n"
      "Example:\n"
      "  lockstep bench startup --config configs/fashion_mnist.yaml");
  command.callback([arguments] {
    if (!arguments->moments.empty()) {
      StopSignals signals;
      run_on_ranks([&](World& world) { job(*arguments, world, signals); });
    }
    for (const char* launched : {"OMPI_COMM_WORLD_RANK", "PMI_RANK", "PMIX_RANK"}) {
      if (getenv(launched) != nullptr) throw Error("bench startup starts mpirun itself: run it alone, with --ranks N", kUsage);
    }
    StartupBench measurement(*arguments);
    measurement();
  });
}

}  // namespace lockstep
