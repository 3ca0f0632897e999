// lockstep man: the manual page, in man(7)'s macros, from the same description as --help. The build writes it to share/man/man1/lockstep.1.
#include <fmt/format.h>

#include <sstream>
#include <string>

#include "launch/command_line.h"
#include "launch/commands.h"

namespace lockstep {
namespace {

/// Text that roff prints as it stands: a plain hyphen, quote or circumflex, and no line that is taken for a macro.
std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '\\': out += "\\e"; break;
      case '-': out += "\\-"; break;
      case '\'': out += "\\(aq"; break;
      case '`': out += "\\(ga"; break;
      case '^': out += "\\(ha"; break;
      case '~': out += "\\(ti"; break;
      case '.': out += out.empty() || out.back() == '\n' ? "\\&." : "."; break;
      default: out += c;
    }
  }
  return out;
}

std::string bold(const std::string& text) { return "\\fB" + escaped(text) + "\\fR"; }

std::string italic(const std::string& text) { return "\\fI" + escaped(text) + "\\fR"; }

/// "INT", or "auto|ring" with places where a line may break; nothing for a flag.
std::string value(const OptionDescription& option) {
  std::string names;
  for (const std::string& name : option.values) names += (names.empty() ? "" : "|\\:") + bold(name);
  return option.values.empty() ? italic(option.type) : names;
}

/// "-h, --help", "--seed UINT", "config".
std::string tag(const OptionDescription& option) {
  if (option.positional) return italic(option.names.front()) + (option.several ? " ..." : "");
  std::string names;
  for (const std::string& name : option.names) names += (names.empty() ? "" : ", ") + bold(name);
  return option.type.empty() && option.values.empty() ? names : names + " " + value(option);
}

/// What stands behind the tag: what it does, its values if they are not in the tag, its default.
std::string text(const OptionDescription& option) {
  std::string out = escaped(option.help);
  if (option.positional && !option.values.empty()) out += ": " + value(option);
  if (!option.default_value.empty()) out += escaped(" (default: " + option.default_value + ")");
  return out.empty() ? "\\&" : out;
}

/// Paragraphs are filled; lines that begin with spaces, the examples, stay as they are.
std::string paragraphs(const std::string& footer) {
  std::istringstream lines(footer);
  std::string out = ".PP\n";
  bool example = false;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("  ") != example) {
      out += example ? ".EE\n.RE\n.PP\n" : ".PP\n.RS 4\n.EX\n";
      example = !example;
    }
    out += line.empty() ? ".PP\n" : escaped(line.substr(example ? 2 : 0)) + "\n";
  }
  return out + (example ? ".EE\n.RE\n" : "");
}

std::string synopsis(const CommandDescription& command) {
  std::string out = bold(command.name);
  if (command.options.size() > 0) out += " [" + italic("options") + "]";
  for (const OptionDescription& option : command.options) {
    if (!option.positional) continue;
    out += option.required ? " " + tag(option) : " [" + tag(option) + "]";
  }
  return command.commands.empty() ? out : out + " " + italic("command") + " ...";
}

std::string options(const CommandDescription& command) {
  std::string out;
  for (const OptionDescription& option : command.options) out += ".TP\n" + tag(option) + "\n" + text(option) + "\n";
  return out;
}

/// A command and those below it. `above`: the footer of the command above, which CLI11 repeats where there is no own one.
std::string section(const CommandDescription& command, const std::string& above) {
  std::string out =
      ".SS " + escaped(command.name) + "\n" + escaped(command.help) + ".\n.PP\n" + synopsis(command) + "\n" + options(command);
  if (command.footer != above) out += paragraphs(command.footer);
  for (const CommandDescription& below : command.commands) out += section(below, command.footer);
  return out;
}

std::string page(const CommandDescription& program) {
  const std::size_t colon = program.help.find(": ");
  std::string out = fmt::format(".TH LOCKSTEP 1 \"\" \"Lockstep {}\" \"User Commands\"\n.nr HY 0\n.nh\n.ad l\n", LOCKSTEP_VERSION);
  out += ".SH NAME\n" + program.name + " \\- " + escaped(program.help.substr(colon + 2)) + "\n";
  out += ".SH SYNOPSIS\n" + synopsis(program) + "\n.SH OPTIONS\n" + options(program) + ".SH COMMANDS\n";
  for (const CommandDescription& command : program.commands) out += section(command, program.footer);
  return out;
}

}  // namespace

void add_man(Command& app) {
  Command command = app.add_command("man", "Print this program's manual page (roff)");
  command.hidden();
  command.callback([app] { fmt::print("{}", page(app.description())); });
}

}  // namespace lockstep
