#pragma once
#include <functional>

namespace CLI {
class App;
}

namespace lockstep {

class World;

/// Thrown by a command that has told its errors itself and ends with this exit code.
struct Exit {
  int code;
};

/// Runs the program of a command on all ranks of the job (lockstep::run) and ends the command with its exit code, by throwing Exit.
[[noreturn]] void run_on_ranks(const CLI::App& app, const std::function<void(World&)>& program);

/// One function per sub-command, each in the file of its name (launch/train/train.cpp holds add_train). It declares the options on `app`
/// and sets the callback that runs the command; a command fails by throwing lockstep::Error, whose exit code the process returns.
void add_train(CLI::App& app);
void add_evaluate(CLI::App& app);
void add_predict(CLI::App& app);
void add_summary(CLI::App& app);
void add_data(CLI::App& app);
void add_status(CLI::App& app);
void add_watch(CLI::App& app);
void add_checkpoint(CLI::App& app);
void add_stop(CLI::App& app);
void add_submit(CLI::App& app);
void add_bench(CLI::App& app);
void add_doctor(CLI::App& app);
void add_launch(CLI::App& app);

}  // namespace lockstep
