#include "io/run/trace_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <iterator>
#include <limits>
#include <sstream>

#include "cluster/json.h"
#include "io/run/run_directory.h"

namespace lockstep {
namespace {

std::string quoted(const std::string& text) { return Json(text).dump(); }

std::string title(const Trace::Span& span, const std::vector<std::string>& layers) {
  const std::string name = name_of(span.kind);
  const auto layer = static_cast<std::size_t>(span.number);
  return span.kind == SpanKind::backward && span.number >= 0 && layer < layers.size() ? name + " " + layers[layer] : name;
}

/// This rank's spans on rank 0's clock.
std::vector<Trace::Span> on_one_clock(const Trace& trace, const ClockOffset& at_start, const ClockOffset& at_end) {
  std::vector<Trace::Span> spans = trace.spans();
  if (spans.empty()) return spans;
  const std::int64_t first = spans.front().start, whole = std::max<std::int64_t>(Trace::now() - first, 1);
  const double drift = static_cast<double>(at_end.nanoseconds - at_start.nanoseconds) / static_cast<double>(whole);
  for (Trace::Span& span : spans) {
    for (std::int64_t* time : {&span.start, &span.end})
      *time += at_start.nanoseconds + static_cast<std::int64_t>(drift * static_cast<double>(*time - first));
  }
  return spans;
}

std::string bytes_of(const std::vector<Trace::Span>& spans) {
  return {reinterpret_cast<const char*>(spans.data()), spans.size() * sizeof(Trace::Span)};
}

}  // namespace

std::string trace_json(const std::vector<RankTrace>& ranks) {
  std::int64_t zero = std::numeric_limits<std::int64_t>::max();
  for (const RankTrace& rank : ranks) {
    for (const Trace::Span& span : rank.spans) zero = std::min(zero, span.start);
  }
  fmt::memory_buffer text;
  const auto out = std::back_inserter(text);
  fmt::format_to(out, "{{\"displayTimeUnit\": \"ns\", \"traceEvents\": [");
  for (std::size_t r = 0; r < ranks.size(); ++r) {
    const RankTrace& rank = ranks[r];
    fmt::format_to(out, "{}\n{{\"ph\": \"M\", \"name\": \"process_name\", \"pid\": {}, \"tid\": 0, \"args\": {{\"name\": {}}}}}",
                   r == 0 ? "" : ",", r, quoted(fmt::format("rank {} on {}", r, rank.host)));
    fmt::format_to(out, ",\n{{\"ph\": \"M\", \"name\": \"process_sort_index\", \"pid\": {}, \"tid\": 0, \"args\": {{\"sort_index\": {}}}}}",
                   r, r);
    fmt::format_to(out,
                   ",\n{{\"ph\": \"M\", \"name\": \"process_labels\", \"pid\": {}, \"tid\": 0, \"args\": {{\"labels\": \"clock within {} "
                   "ns, {} spans not kept\"}}}}",
                   r, rank.clock_error, rank.dropped);
    std::vector<std::string> titles;
    for (const Trace::Span& span : rank.spans) {
      fmt::format_to(out, ",\n{{\"ph\": \"X\", \"name\": {}, \"pid\": {}, \"tid\": 0, \"ts\": {:.3f}, \"dur\": {:.3f}",
                     quoted(title(span, rank.layers)), r, static_cast<double>(span.start - zero) * 1e-3,
                     static_cast<double>(span.end - span.start) * 1e-3);
      if (span.kind == SpanKind::step) fmt::format_to(out, ", \"args\": {{\"step\": {}}}", span.number);
      fmt::format_to(out, "}}");
    }
  }
  fmt::format_to(out, "\n]}}\n");
  return fmt::to_string(text);
}

void write_trace(const std::filesystem::path& file, const Trace& trace, const ClockOffset& at_start, const World& world) {
  const ClockOffset at_end = clock_offset(world);
  const std::vector<std::string> spans = world.all_gather(bytes_of(on_one_clock(trace, at_start, at_end)));
  const std::vector<std::string> facts =
      world.all_gather(fmt::format("{} {} {}", std::max(at_start.error, at_end.error), trace.dropped(), world.hostname()));
  world.agree([&] {
    if (world.rank() != 0) return;
    std::vector<RankTrace> ranks(spans.size());
    for (std::size_t r = 0; r < ranks.size(); ++r) {
      RankTrace& rank = ranks[r];
      rank.layers = trace.layers;
      rank.spans.resize(spans[r].size() / sizeof(Trace::Span));
      std::memcpy(rank.spans.data(), spans[r].data(), spans[r].size());
      std::istringstream(facts[r]) >> rank.clock_error >> rank.dropped >> rank.host;
    }
    write_text_file(file, trace_json(ranks));
  });
}

}  // namespace lockstep
