// lockstep completion: a script that completes commands in a shell, from the same description as --help. The build writes it to
// share/bash-completion/completions/lockstep.
#include <fmt/format.h>

#include <string>
#include <string_view>
#include <vector>

#include "launch/command_line.h"
#include "launch/commands.h"

namespace lockstep {
namespace {

/// Finds the command and the option before the cursor, then looks up what may follow. Bash splits words at '=' and ':'. What no table lists
/// is the name of a file.
constexpr std::string_view kBash = R"(_lockstep() {
  local current=${COMP_WORDS[COMP_CWORD]} command=lockstep option= position=1 word words
  for word in "${COMP_WORDS[@]:1:COMP_CWORD-1}"; do
    if [ "$option" = -- ] || [ "$word" = -- ]; then
      option=--
    elif [ "$word" = = ] || [ "$word" = : ]; then
      option=${option:-$word}
    elif [ -n "$option" ]; then
      option=
    elif [[ $word == -* ]]; then
      [[ " $(_lockstep_options "$command") " != *" $word= "* ]] || option=$word
    elif [[ " $(_lockstep_words "$command") " == *" $word "* ]]; then
      command+=" $word"
    else
      position=$((position + 1))
    fi
  done
  [ "$current" != = ] || current=
  if [ -n "$option" ]; then
    words=$(_lockstep_words "$command $option")
  elif [[ $current == -* ]]; then
    words=$(_lockstep_options "$command")
    words=${words//=/}
  else
    words=$(_lockstep_words "$command" || _lockstep_words "$command $position")
  fi
  if [ -n "$words" ]; then
    mapfile -t COMPREPLY < <(compgen -W "$words" -- "$current")
  else
    compopt -o filenames 2> /dev/null
    mapfile -t COMPREPLY < <(compgen -f -- "$current")
  fi
}
complete -o bashdefault -o default -F _lockstep lockstep
)";

/// One line of a table: what is looked up, and the words that it stands for.
std::string row(const std::string& key, const std::vector<std::string>& words) {
  return words.empty() ? "" : fmt::format("    '{}') echo '{}' ;;\n", key, fmt::join(words, " "));
}

/// Options of a command; those that take a value end in '='.
std::string options(const CommandDescription& command) {
  std::vector<std::string> words;
  for (const OptionDescription& option : command.options) {
    const bool flag = option.type.empty() && option.values.empty();
    if (option.positional) continue;
    for (const std::string& name : option.names) words.push_back(flag ? name : name + "=");
  }
  std::string rows = row(command.name, words);
  for (const CommandDescription& below : command.commands) rows += options(below);
  return rows;
}

/// What may follow a command, an option of it, and a command with so many arguments.
std::string words(const CommandDescription& command) {
  std::vector<std::string> names;
  for (const CommandDescription& below : command.commands) names.push_back(below.name.substr(command.name.size() + 1));
  std::string rows = row(command.name, names);
  int position = 0;
  for (const OptionDescription& option : command.options) {
    if (option.positional) ++position;
    for (const std::string& name : option.names)
      rows += row(command.name + " " + (option.positional ? std::to_string(position) : name), option.values);
  }
  for (const CommandDescription& below : command.commands) rows += words(below);
  return rows;
}

std::string table(const std::string& name, const std::string& rows) {
  return fmt::format("{}() {{\n  case \"$1\" in\n{}    *) return 1 ;;\n  esac\n}}\n", name, rows);
}

}  // namespace

void add_completion(Command& app) {
  Command command = app.add_command("completion", "Print a script that completes this program's commands in a shell");
  command.hidden();
  command.require_command();
  command.add_command("bash", "For bash: source <(lockstep completion bash)").callback([app] {
    const CommandDescription program = app.description();
    fmt::print("# bash completion of lockstep, written by `lockstep completion bash`\n{}{}{}", table("_lockstep_options", options(program)),
               table("_lockstep_words", words(program)), kBash);
  });
}

}  // namespace lockstep
