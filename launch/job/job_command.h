#pragma once
#include <optional>
#include <string>
#include <vector>

namespace lockstep {

/// The command line of a job, "mpirun ARGS lockstep train ARGS", taken apart as far as a restart has to change it.
class JobCommand {
 public:
  struct Host {
    std::string name;
    int slots = 1;
  };

  /// An Error (kUsage) if there is no `train` in it or the hosts cannot be read.
  explicit JobCommand(std::vector<std::string> words);

  /// RUN_DIR of --run-dir or --resume; empty if there is none.
  const std::string& run_dir() const { return run_dir_; }
  /// Sees to it that every start goes on where the one before was: adds --run-dir, with this directory unless there is one, and --continue.
  void go_on_in(const std::string& directory);
  /// Stem of the configuration's file name, for the name of a run directory.
  std::string name() const;

  /// Of --host or --hostfile; empty where the launcher knows them itself (one host, Slurm).
  const std::vector<Host>& hosts() const { return hosts_; }
  /// Takes hosts out of the list, and from -np the ranks that find no slot any more. Returns the ranks that are left; empty if that is not
  /// known.
  std::optional<int> drop(const std::vector<std::string>& dead);
  std::optional<int> ranks() const { return ranks_; }

  /// To be run: the command.
  std::vector<std::string> words() const;
  /// To be run: the program's --version, as one process started as the job is.
  std::vector<std::string> version_probe() const;
  /// To be run: one process of `program` on one host, started as the job is.
  std::vector<std::string> probe(const std::string& host, const std::vector<std::string>& program) const;

 private:
  void read_launcher();
  void read_hostfile(const std::string& file);
  void read_train();

  std::vector<std::string> launcher_;  // mpirun and its options, without those for hosts and ranks
  std::vector<std::string> program_;   // lockstep train ...
  std::vector<Host> hosts_;
  std::optional<int> ranks_;
  std::string run_dir_;
};

}  // namespace lockstep
