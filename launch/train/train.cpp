// lockstep train: the command line.
#include <memory>

#include "cluster/collectives/allreduce.h"
#include "cluster/output.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/train/training_run.h"

namespace lockstep {

void add_train(Command& app) {
  auto arguments = std::make_shared<TrainArguments>();
  Command train = app.add_command("train", "Train a model as a configuration describes it, alone or on the ranks of mpirun or srun");
  train.option("config", arguments->config, "Configuration (YAML); configs/reference.yaml explains every key");
  train.option("--resume", arguments->resume,
               "Continue the run in this directory from its newest checkpoint that is whole and without NaN, on any\n"
               "number of ranks; or from its checkpoint with this path (RUN_DIR/checkpoints/step-...). With --run-dir DIR\n"
               "the run continues there and leaves this one as it is; a copy of a checkpoint alone can be resumed so, too");
  train.option("--set", arguments->sets, "Override a key of the configuration: --set training.epochs=3").type_name("KEY=VALUE").take_all();
  train.option("--data", arguments->data, "Data file for training, validation and test instead of the configuration's");
  train.option("--epochs", arguments->epochs, "Number of epochs").at_least(1);
  train.option("--batch-size", arguments->batch_size, "Rows in a step, of all ranks together").at_least(1);
  train.option("--seed", arguments->seed, "Seed of initial weights, shuffling and dropout").at_least(0);
  train.option("--run-dir", arguments->run_dir,
               "Directory for the run's files; must not exist or not hold a training yet (default: runs/NAME-DATE)");
  train.flag("--continue", arguments->continue_run,
             "Continue the run in --run-dir from its newest whole checkpoint; start it there if it has none yet (with\n"
             "--resume: from that one). The same command starts a run and resumes it after whatever ended it");
  const auto algorithms = allreduce_names();
  train.option("--allreduce", arguments->allreduce, "How gradients are summed over ranks: auto measures, shared works on one host")
      .lists({algorithms.begin(), algorithms.end()});
  train.option("--exchange", arguments->exchange, "What ranks exchange; factors are activations and deltas of products")
      .lists({"auto", "factors", "gradients"});
  train.option("--trace", arguments->trace, "Write what every rank did when to this file, for ui.perfetto.dev or chrome://tracing")
      .type_name("FILE");
  train.flag("--reproducible", arguments->reproducible, "The same bits at every number of ranks on any hosts (key 'reproducible')");
  train.option("--progress", arguments->progress, "How sums of gradients overlap with backward, between hosts")
      .lists({"auto", "thread", "poll", "none"});
  train.option("--threads", arguments->threads, "Threads of each rank (default: its fair share of the cores)").at_least(1);
  train
      .option("--timeout", arguments->timeout,
              "Seconds without any progress, beyond the slowest recent step, after which the job ends with a diagnosis (60)")
      .above_zero("seconds");
  train.option("--verbose", arguments->verbose, "0 silent, 1 progress bar or a line an epoch, 2 a line an epoch").one_of({"0", "1", "2"});
  train.footer(
      "Examples:\n"
      "  lockstep train configs/quickstart.yaml\n"
      "  mpirun -np 4 lockstep train configs/fashion_mnist.yaml --epochs 10 --set training.optimizer.SGD.learning_rate=0.05\n"
      "  mpirun -np 2 lockstep train --resume runs/fashion_mnist-20260101-120000\n"
      "  mpirun -np 2 lockstep train configs/fashion_mnist.yaml --run-dir runs/long --continue\n"
      "\nExit codes: 0 done, or stopped by `lockstep stop` after a checkpoint; 1 failed; 2 wrong command line or configuration;\n"
      "75 interrupted after a checkpoint: run it again with --resume or --continue; 128+N a second signal N ended it at once.\n"
      "SIGUSR1, SIGTERM, SIGHUP, SIGXCPU or Ctrl-C interrupt after the step that all ranks are at. To mpirun send SIGUSR1: at SIGTERM,\n"
      "SIGHUP or Ctrl-C it kills the ranks after two seconds and returns 1, whatever they do.\n"
      "A terminal or pipe that nobody reads, or a closed one, changes nothing; lines may be missing.");
  train.callback([arguments] {
    if (arguments->config.empty() == arguments->resume.empty())
      throw Error("train: give a configuration file or --resume RUN_DIR (one of them)", kUsage);
    if (arguments->continue_run && arguments->run_dir.empty()) throw Error("train: --continue needs --run-dir DIR", kUsage);
    StopSignals signals;  // before MPI: a signal that comes early is not lost
    const Output output;
    run_on_ranks([&](World& world) { run_training(*arguments, world, signals); });
  });
}

}  // namespace lockstep
