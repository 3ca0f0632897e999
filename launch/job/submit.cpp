// lockstep submit: a training as a Slurm job that requeues itself. The script is launch/slurm/train.sbatch with the values asked for.
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/config/config.h"
#include "io/files/durable_file.h"
#include "io/files/file_bytes.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/job/batch_script.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr const char* kRuns = "runs";
constexpr std::int64_t kMargin = 120;  // seconds between the signal and the time limit, at most a quarter of the limit

struct SubmitArguments {
  std::string config;
  std::vector<std::string> sets, sbatch;
  std::optional<std::int64_t> nodes, ntasks_per_node, cpus_per_task, max_restarts;
  std::string time, partition, account, array, launcher;
  bool dry_run = false;
};

/// "--mem 4G" may come as two words: a word that is no option belongs to the one before it.
std::vector<std::string> option_lines(const std::vector<std::string>& words) {
  std::vector<std::string> lines;
  for (const std::string& word : words) {
    if (word.starts_with("-")) {
      lines.push_back(shell_word(word));
    } else if (lines.empty()) {
      throw Error("submit: '" + word + "' is no option of sbatch; options of sbatch come behind --", kUsage);
    } else {
      lines.back() += " " + shell_word(word);
    }
  }
  return lines;
}

/// With 0 for %a, so that the configuration can be checked before the job waits in the queue.
std::vector<std::string> sets_of_first_task(std::vector<std::string> sets) {
  for (std::string& set : sets) {
    for (std::size_t at = set.find("%a"); at != std::string::npos; at = set.find("%a", at)) set.replace(at, 2, "0");
  }
  return sets;
}

std::string train_arguments(const SubmitArguments& arguments) {
  std::string words = shell_word(arguments.config);
  for (const std::string& set : arguments.sets) words += " --set " + shell_word(set);
  return "(" + words + ")";
}

BatchScript make_script(const SubmitArguments& arguments, const std::string& name) {
  const std::string source = batch_template().string();
  BatchScript script(read_file(source), source);
  const auto option = [&](const char* key, const auto& value) {
    if (value) script.option(key, std::to_string(*value));
  };
  const auto text_option = [&](const char* key, const std::string& value) {
    if (!value.empty()) script.option(key, value);
  };
  text_option("job-name", name);
  option("nodes", arguments.nodes);
  option("ntasks-per-node", arguments.ntasks_per_node);
  option("cpus-per-task", arguments.cpus_per_task);
  text_option("time", arguments.time);
  const std::int64_t limit = arguments.time.empty() ? 0 : slurm_seconds(arguments.time);
  if (limit > 0) script.option("signal", fmt::format("B:USR1@{}", std::min(kMargin, limit / 4)));
  text_option("partition", arguments.partition);
  text_option("account", arguments.account);
  text_option("array", arguments.array);
  script.option("output", fmt::format("{}/%x-{}.out", kRuns, arguments.array.empty() ? "%j" : "%A_%a"));
  for (const std::string& line : option_lines(arguments.sbatch)) script.line(line);
  if (!arguments.launcher.empty()) script.variable("launcher", arguments.launcher);
  if (arguments.max_restarts) script.variable("max_restarts", std::to_string(*arguments.max_restarts));
  script.variable("lockstep", shell_word(fs::read_symlink("/proc/self/exe").string()));
  script.variable("runs", kRuns);
  script.variable("arguments", train_arguments(arguments));
  return script;
}

/// runs/NAME-DATE-TIME.sbatch
std::string save_script(const std::string& text, const std::string& name) {
  std::error_code reason;
  fs::create_directories(kRuns, reason);  // the job's output goes there, too: Slurm does not make folders
  if (reason) throw Error(std::string("cannot make the folder ") + kRuns + ": " + reason.message());
  const std::string base = fmt::format("{}/{}-{:%Y%m%d-%H%M%S}", kRuns, name, fmt::localtime(std::time(nullptr)));
  std::string path = base + ".sbatch";
  for (int i = 1; fs::exists(path); ++i) path = fmt::format("{}-{}.sbatch", base, i);
  replace_file(path, text);
  return path;
}

/// The job's number, or an Error.
std::string run_sbatch(const std::string& path) {
  const std::string command = "sbatch --parsable " + shell_word(path);
  std::FILE* const pipe = popen(("command -v sbatch > /dev/null || exit 127; exec " + command).c_str(), "re");
  if (pipe == nullptr) throw Error("cannot start a shell for sbatch");
  std::string output;
  std::array<char, 256> piece{};
  while (std::fgets(piece.data(), static_cast<int>(piece.size()), pipe) != nullptr) output += piece.data();
  const int status = pclose(pipe);
  const int code = WIFEXITED(status) ? WEXITSTATUS(status) : 128;
  if (code == 127)
    throw Error("there is no sbatch on this machine. The script is " + path + "; on a login node of the cluster: sbatch " +
                shell_word(path));
  if (code != 0) throw Error(fmt::format("sbatch ended with {}; its message is above. The script is {}", code, path));
  return output.substr(0, output.find_first_of(";\n"));  // "12" or "12;cluster"
}

void explain(const std::string& job, const std::string& name, bool array) {
  const std::string run = fmt::format("{}/{}-{}{}", kRuns, name, job, array ? "_TASK" : "");
  fmt::print(
      "submitted job {0}\n\n"
      "  squeue -j {0}                                   # where it stands\n"
      "  tail -F {1}.out               # what it says\n"
      "  srun --jobid {2} --overlap -N1 -n1 lockstep watch {1}   # live, on the job's first node\n"
      "  scancel -b -s USR1 {0}                          # checkpoint, and back into the queue\n"
      "  scancel {0}                                     # end it for good\n",
      job, run, array ? job + "_TASK" : job);
}

void submit(const SubmitArguments& arguments) {
  const RunConfig config = parse_config(read_config_file(arguments.config), arguments.config, sets_of_first_task(arguments.sets));
  const BatchScript script = make_script(arguments, config.name);
  if (arguments.dry_run) {
    fmt::print("{}", script.text());
    return;
  }
  const std::string path = save_script(script.text(), config.name);
  fmt::print("--- {}\n{}---\n", path, script.text());
  std::fflush(stdout);
  explain(run_sbatch(path), config.name, !arguments.array.empty());
}

}  // namespace

void add_submit(Command& app) {
  auto arguments = std::make_shared<SubmitArguments>();
  Command command = app.add_command("submit", "Train as a Slurm job that goes on after its time limit, a crash or a lost node");
  command.option("config", arguments->config, "Configuration (YAML)").required();
  command.option("--nodes", arguments->nodes, "Nodes (default: the template's, 2)").at_least(1);
  command.option("--ntasks-per-node", arguments->ntasks_per_node, "Ranks on each node (default: 1)").at_least(1);
  command.option("--cpus-per-task", arguments->cpus_per_task, "Cores, and so threads, of each rank (default: 2)").at_least(1);
  command.option("--time", arguments->time, "Time limit of one life of the job, as sbatch takes it (default: one hour)");
  command.option("--partition", arguments->partition, "Partition");
  command.option("--account", arguments->account, "Account that is charged");
  command.option("--array", arguments->array, "Tasks of a job array: 0-9, 1,3,5, 0-99%10; each has its own run directory");
  command.option("--launcher", arguments->launcher, "What starts the ranks (default: mpirun)").one_of({"mpirun", "srun"});
  command.option("--max-restarts", arguments->max_restarts, "How often the job may go back into the queue (default: 10)").at_least(0);
  command.option("--set", arguments->sets, "Override a key of the configuration; %a is the number of the array's task: --set seed=%a")
      .type_name("KEY=VALUE")
      .take_all();
  command.flag("--dry-run", arguments->dry_run, "Only show the script");
  command.option("sbatch", arguments->sbatch, "Further options of sbatch, behind --: lockstep submit CONFIG -- --mem=8G --mail-type=END");
  command.footer(
      "The script is written to runs/NAME-DATE.sbatch, shown and submitted; the run directory is runs/NAME-JOB, or runs/NAME-JOB_TASK of "
      "an array.\n"
      "It goes on from the newest checkpoint each time it starts. What it does is explained in the script itself.\n"
      "\nExamples:\n"
      "  lockstep submit configs/fashion_mnist.yaml --nodes 4 --cpus-per-task 16 --time 08:00:00\n"
      "  lockstep submit configs/fashion_mnist.yaml --nodes 2 --launcher srun --array 0-4 --set seed=%a -- --mem=16G\n"
      "  lockstep submit configs/fashion_mnist.yaml --nodes 4 --dry-run");
  command.callback([arguments] { submit(*arguments); });
}

}  // namespace lockstep
