#pragma once
#include <functional>
#include <string>

namespace lockstep {

/// A line "LABEL 42 %" on a terminal, rewritten in place and ended at 100 %; nothing where stderr is a file.
std::function<void(double)> progress_line(const std::string& label);

/// Prints one line per data set of a file that was just made, and what to do next.
void report_data_file(const std::string& path);

}  // namespace lockstep
