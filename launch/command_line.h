#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

namespace CLI {
class App;
class Option;
}  // namespace CLI

namespace lockstep {

/// An option or a positional argument of a command. Calls can be chained; a value that fails a check is a usage error.
class Option {
 public:
  explicit Option(CLI::Option* option) : option_(option) {}

  Option& required();
  Option& at_least(std::int64_t least);             ///< a whole number, not below `least`
  Option& above_zero(const std::string& what);      ///< a finite number above 0, of `what` ("seconds")
  Option& in_range(double least, double greatest);  ///< both ends included
  Option& one_of(const std::vector<std::string>& names);
  Option& lists(const std::vector<std::string>& names);  ///< the values that --help and completion show; the command checks them itself
  Option& check(const std::function<std::string(const std::string&)>& error);  ///< `error` of a value: what is wrong with it, or nothing
  Option& size_units();                                                        ///< KB, MB, ... of 1024 bytes may follow a number
  Option& delimiter(char delimiter);                                           ///< a value holds several, separated by it
  Option& one_word();                          ///< each use of the option takes one word, also where it may be given several times
  Option& take_all();                          ///< may be given several times
  Option& type_name(const std::string& name);  ///< in --help, instead of TEXT or INT
  Option& show_default();                      ///< in --help: the variable's present value
  Option& hidden();                            ///< not in --help

 private:
  CLI::Option* option_;
};

/// What --help says of an option or a positional argument.
struct OptionDescription {
  std::vector<std::string> names;  ///< "-h", "--help"; of a positional argument its name alone
  bool positional = false, required = false, several = false;
  std::string type;                 ///< of its value: "INT", "KEY=VALUE"; empty for a flag or where `values` lists all
  std::vector<std::string> values;  ///< all that it may have, or nothing
  std::string default_value, help;
};

/// What --help says of a command and its sub-commands. Hidden ones are left out.
struct CommandDescription {
  std::string name;  ///< with those above it: "lockstep data import"
  std::string help, footer;
  std::vector<OptionDescription> options;
  std::vector<CommandDescription> commands;
};

/// A command or a sub-command: a handle to be copied, valid as long as its CommandLine. This is the only way to the CLI11 library, which is
/// slow to compile: command_line.cpp alone includes it.
class Command {
 public:
  explicit Command(CLI::App* app) : app_(app) {}

  Command add_command(const std::string& name, const std::string& help);
  /// "--name" or, without dashes, a positional argument. `value` must live as long as the command line. command_line.cpp lists the types.
  template <class T>
  Option option(const std::string& name, T& value, const std::string& help = "");
  Option flag(const std::string& name, bool& value, const std::string& help);
  void footer(const std::string& text);  ///< the end of --help
  void require_command();                ///< one of its sub-commands must be given
  void hidden();                         ///< not in --help
  void callback(const std::function<void()>& run);
  CommandDescription description() const;

 private:
  CLI::App* app_;
};

/// The whole command line of a program.
class CommandLine {
 public:
  CommandLine(const std::string& name, const std::string& help, const std::string& version);
  ~CommandLine();

  /// The command without sub-commands' names.
  Command command() const { return Command(app_.get()); }
  /// Runs the callback of the command that is named. Returns the exit code; a wrong command line is kUsage, and is explained on stderr if
  /// `tells_errors`. What the callback throws passes through.
  int run(int argc, char** argv, bool tells_errors) const;

 private:
  std::unique_ptr<CLI::App> app_;
};

}  // namespace lockstep
