#pragma once
#include <functional>
#include <string>

namespace lockstep {

/// Called now and then during long work with the part done, 0 to 1. Empty: nobody listens.
using Progress = std::function<void(double)>;

/// Makes a Progress for each of several pieces of work, by name.
using ProgressFactory = std::function<Progress(const std::string&)>;

}  // namespace lockstep
