#pragma once
#include <CLI/CLI.hpp>
#include <cstdint>
#include <string>

namespace lockstep {

/// A check for an option's value: a whole number, not below `least`.
CLI::Validator at_least(std::int64_t least);

/// What the command line's error means and where help is, in two lines; for CLI::App::failure_message.
std::string usage_error(const CLI::App* app, const CLI::Error& error);

}  // namespace lockstep
