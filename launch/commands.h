#pragma once

namespace CLI {
class App;
}

namespace lockstep {

/// One function per sub-command, each in the file of its name (launch/train.cpp holds add_train). It declares the options on `app` and
/// sets the callback that runs the command; a command fails by throwing lockstep::Error, whose exit code the process returns.
void add_data(CLI::App& app);
void add_status(CLI::App& app);
void add_watch(CLI::App& app);
void add_checkpoint(CLI::App& app);
void add_stop(CLI::App& app);

}  // namespace lockstep
