#pragma once
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <string>

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
  Option& at_least(std::int64_t least);         ///< a whole number, not below `least`
  Option& above_zero(const std::string& what);  ///< a finite number above 0, of `what` ("seconds")
  Option& in_range(int least, int greatest);    ///< both ends included
  Option& in_range(double least, double greatest);
  Option& one_of(std::initializer_list<std::string> names);
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
  void callback(const std::function<void()>& run);

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
