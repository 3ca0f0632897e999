#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "cluster/trace/clock_offset.h"
#include "cluster/trace/trace.h"

namespace lockstep {

/// One rank's part of a trace file; times are on rank 0's clock.
struct RankTrace {
  std::string host;
  std::int64_t clock_error = 0;  ///< nanoseconds, at most
  std::size_t dropped = 0;       ///< spans between the first and the last ones that are not kept
  std::vector<std::string> layers;
  std::vector<Trace::Span> spans;
};

/// Chrome's trace event format, for chrome://tracing and ui.perfetto.dev: a process for each rank, a complete event ("X") for each span, in
/// microseconds from the first span on.
std::string trace_json(const std::vector<RankTrace>& ranks);

/// Gathers the ranks' traces, brings their times onto rank 0's clock by the offsets at the start and at the end (clocks drift apart:
/// between the two it is interpolated), and has rank 0 write the file. Collective; a file that cannot be written is an AgreedError.
void write_trace(const std::filesystem::path& file, const Trace& trace, const ClockOffset& at_start, const World& world);

}  // namespace lockstep
