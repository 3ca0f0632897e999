#pragma once
#include <functional>

namespace lockstep {

class Command;

class World;

/// Thrown by a command that has told its errors itself and ends with this exit code.
struct Exit {
  int code;
};

/// Runs the program of a command on all ranks of the job (lockstep::run) and ends the command with its exit code, by throwing Exit.
[[noreturn]] void run_on_ranks(const std::function<void(World&)>& program);

/// One function per sub-command, each in the file of its name (launch/train/train.cpp holds add_train). It declares the options on `app`
/// and sets the callback that runs the command; a command fails by throwing lockstep::Error, whose exit code the process returns.
void add_train(Command& app);
void add_evaluate(Command& app);
void add_predict(Command& app);
void add_summary(Command& app);
void add_convert(Command& app);
void add_data(Command& app);
void add_status(Command& app);
void add_watch(Command& app);
void add_checkpoint(Command& app);
void add_stop(Command& app);
void add_submit(Command& app);
void add_bench(Command& app);
void add_doctor(Command& app);
void add_launch(Command& app);
void add_man(Command& app);
void add_completion(Command& app);

}  // namespace lockstep
