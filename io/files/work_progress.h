#pragma once
#include <functional>
#include <string>

namespace lockstep {

/// Called now and then during long work with the part done, 0 to 1. Empty: nobody listens.
using WorkProgress = std::function<void(double)>;

/// Makes a WorkProgress for each of several pieces of work, by name.
using WorkProgressFactory = std::function<WorkProgress(const std::string&)>;

}  // namespace lockstep
