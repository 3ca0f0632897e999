#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "cluster/status/status.h"

namespace lockstep {

/// A run as lines of text, each at most `width` columns: head, bars for epoch and step, loss and metrics, rates, shares of time, and one
/// row per rank, of which at most `rank_rows` (the rest in one line).
std::vector<std::string> status_table(const Status& status, std::size_t width, std::size_t rank_rows);

/// The same of a run that has ended, as far as its files tell it: without bars, estimates and heartbeats.
std::vector<std::string> ended_table(const Status& status, std::size_t width);

/// The same on one line, for terminals that cannot redraw, and for logs.
std::string status_line(const Status& status);

}  // namespace lockstep
