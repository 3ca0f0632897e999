#include "launch/arguments.h"

#include <charconv>
#include <cmath>

namespace lockstep {

CLI::Validator at_least(std::int64_t least) {
  const auto check = [least](const std::string& text) -> std::string {
    std::int64_t value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value >= least) return "";
    return "must be a whole number of at least " + std::to_string(least) + ", found '" + text + "'";
  };
  return {check, "", "at_least"};
}

CLI::Validator above_zero(const std::string& what) {
  const auto check = [what](const std::string& text) -> std::string {
    double value = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    if (error == std::errc() && end == text.data() + text.size() && value > 0 && std::isfinite(value)) return "";
    return "must be a number of " + what + " above 0, found '" + text + "'";
  };
  return {check, "", "above_zero"};
}

std::string usage_error(const CLI::App* app, const CLI::Error& error) {
  std::string command = app->get_name();
  while (!app->get_subcommands().empty()) {
    app = app->get_subcommands().front();
    command += " " + app->get_name();
  }
  std::string what = error.what();
  const auto known = app->get_subcommands([](const CLI::App*) { return true; });
  if (error.get_exit_code() == static_cast<int>(CLI::ExitCodes::RequiredError) && !known.empty()) {
    const std::vector<std::string> given = app->remaining();
    what = given.empty() ? "which command?" : "there is no command '" + given.front() + "'.";
    for (const CLI::App* one : known) what += (one == known.front() ? " There are: " : ", ") + one->get_name();
  }
  return command + ": " + what + "\n'" + command + " --help' explains it.\n";
}

}  // namespace lockstep
