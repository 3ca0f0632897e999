#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace lockstep {

/// A check for an option's value: a whole number, not below `least`.
CLI::Validator at_least(std::int64_t least);

/// A check for an option's value: a finite number above 0, of `what` ("seconds").
CLI::Validator above_zero(const std::string& what);

/// What the command line's error means and where help is, in two lines; for CLI::App::failure_message.
std::string usage_error(const CLI::App* app, const CLI::Error& error);

}  // namespace lockstep
