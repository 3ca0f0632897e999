#include "launch/command_line.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <cmath>
#include <optional>
#include <vector>

#include "cluster/error.h"

namespace lockstep {
namespace {

CLI::Validator at_least_validator(std::int64_t least) {
  const auto check = [least](const std::string& text) -> std::string {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= least) return "";
    return "must be a whole number of at least " + std::to_string(least) + ", found '" + text + "'";
  };
  return {check, "", "at_least"};
}

CLI::Validator above_zero_validator(const std::string& what) {
  const auto check = [what](const std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value > 0 && std::isfinite(value)) return "";
    return "must be a number of " + what + " above 0, found '" + text + "'";
  };
  return {check, "", "above_zero"};
}

/// Commands that --help shows, in its order.
std::vector<const CLI::App*> shown_commands(const CLI::App* app) {
  return app->get_subcommands([](const CLI::App* command) { return !command->get_group().empty(); });
}

/// The values of Option::lists, or nothing.
std::vector<std::string> listed_values(const std::string& type) {
  if (!type.starts_with('{')) return {};
  return CLI::detail::split(type.substr(1, type.find('}') - 1), ',');
}

OptionDescription describe(const CLI::Option* option) {
  OptionDescription description;
  description.positional = option->get_positional();
  description.required = option->get_required();
  description.several = option->get_items_expected_max() > 1;
  description.default_value = option->get_default_str();
  description.help = option->get_description();
  if (description.positional) description.names.push_back(option->get_name(true));
  for (const std::string& name : option->get_snames()) description.names.push_back("-" + name);
  for (const std::string& name : option->get_lnames()) description.names.push_back("--" + name);
  if (option->get_items_expected_max() == 0) return description;
  description.values = listed_values(option->get_type_name());
  if (description.values.empty()) description.type = option->get_type_name();
  return description;
}

/// `above`: the names of the commands above it.
CommandDescription describe(const CLI::App* app, const std::string& above) {
  CommandDescription description;
  description.name = above + app->get_name();
  description.help = app->get_description();
  description.footer = app->get_footer();
  for (const CLI::Option* option : app->get_options([](const CLI::Option* one) { return !one->get_group().empty(); }))
    description.options.push_back(describe(option));
  for (const CLI::App* command : shown_commands(app)) description.commands.push_back(describe(command, description.name + " "));
  return description;
}

/// What the command line's error means and where help is, in two lines.
std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  std::string command = app->get_name();
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
    command += " " + app->get_name();
  }
  std::string what = error.what();
  const std::vector<const CLI::App*> known = shown_commands(app);
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) && !known.empty()) {
    const std::vector<std::string> given = app->remaining();
    what = given.empty() ? "which command?" : "there is no command '" + given.front() + "'.";
    for (const CLI::App* one : known) what += (one == known.front() ? " There are: " : ", ") + one->get_name();
  }
  return command + ": " + what + "\n'" + command + " --help' explains it.\n";
}

}  // namespace

Option& Option::required() { return option_->required(), *this; }

Option& Option::at_least(std::int64_t least) { return option_->check(at_least_validator(least)), *this; }

Option& Option::above_zero(const std::string& what) { return option_->check(above_zero_validator(what)), *this; }

Option& Option::in_range(double least, double greatest) { return option_->check(CLI::Range(least, greatest)), *this; }

Option& Option::one_of(const std::vector<std::string>& names) {
  option_->check(CLI::IsMember(names).description(""));
  return lists(names);
}

Option& Option::lists(const std::vector<std::string>& names) {
  std::string list;
  for (const std::string& name : names) list += (list.empty() ? "{" : ",") + name;
  return type_name(list + "}");
}

Option& Option::check(const std::function<std::string(const std::string&)>& error) { return option_->check(error), *this; }

Option& Option::size_units() { return option_->transform(CLI::AsSizeValue(false)), *this; }

Option& Option::delimiter(char delimiter) { return option_->delimiter(delimiter), *this; }

Option& Option::one_word() { return option_->allow_extra_args(false), *this; }

Option& Option::take_all() { return option_->take_all(), *this; }

Option& Option::type_name(const std::string& name) { return option_->type_name(name), *this; }

Option& Option::show_default() { return option_->capture_default_str(), *this; }

Option& Option::hidden() { return option_->group(""), *this; }

Command Command::add_command(const std::string& name, const std::string& help) { return Command(app_->add_subcommand(name, help)); }

template <class T>
Option Command::option(const std::string& name, T& value, const std::string& help) {
  return Option(app_->add_option(name, value, help));
}
template Option Command::option(const std::string&, std::string&, const std::string&);
template Option Command::option(const std::string&, int&, const std::string&);
template Option Command::option(const std::string&, std::int64_t&, const std::string&);
template Option Command::option(const std::string&, std::uint64_t&, const std::string&);
template Option Command::option(const std::string&, double&, const std::string&);
template Option Command::option(const std::string&, std::optional<std::int64_t>&, const std::string&);
template Option Command::option(const std::string&, std::optional<std::uint64_t>&, const std::string&);
template Option Command::option(const std::string&, std::vector<std::string>&, const std::string&);
template Option Command::option(const std::string&, std::vector<std::int64_t>&, const std::string&);

Option Command::flag(const std::string& name, bool& value, const std::string& help) { return Option(app_->add_flag(name, value, help)); }

void Command::footer(const std::string& text) { app_->footer(text); }

void Command::require_command() { app_->require_subcommand(1); }

void Command::hidden() { app_->group(""); }

CommandDescription Command::description() const { return describe(app_, ""); }

void Command::callback(const std::function<void()>& run) { app_->callback(run); }

CommandLine::CommandLine(const std::string& name, const std::string& help, const std::string& version)
    : app_(std::make_unique<CLI::App>(help)) {
  app_->name(name);
  app_->set_version_flag("--version", version);
  app_->require_subcommand(1);
  app_->failure_message(usage_error);
}

CommandLine::~CommandLine() = default;

int CommandLine::run(int argc, char** argv, bool tells_errors) const {
  try {
    app_->parse(argc, argv);
    return kOk;
  } catch (const CLI::ParseError& error) {  // --help and --version, too
    const int code = tells_errors ? app_->exit(error) : error.get_exit_code();
    return code == 0 ? kOk : kUsage;
  }
}

}  // namespace lockstep
