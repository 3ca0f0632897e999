#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

namespace lockstep {

/// What a span of a trace shows. Spans of a step lie inside `step`; `exchange` is waiting for other ranks and their data.
enum class SpanKind : std::uint8_t {
  start,
  step,
  input,
  forward,
  loss,
  backward,
  gradient,
  exchange,
  update,
  callbacks,
  checkpoint,
  validation,
  epoch_end
};

/// "forward", ...
const char* name_of(SpanKind kind);

/// What one rank did from when to when, in nanoseconds of its host's monotonic clock. All memory is made at once: the first quarter of the
/// spans stays, behind it a ring keeps the last ones, so that a long run's trace shows its start and its end. Adding a span is a store: no
/// allocation, no lock, no text. One thread adds.
class Trace {
 public:
  struct Span {
    std::int64_t start, end;
    std::int64_t number;  ///< of the step (global) or of the layer's op; -1: none
    SpanKind kind;
  };

  /// `spans`: room.
  explicit Trace(std::size_t spans);
  /// Room for each of `ranks`: 65,536 spans, and at most 262,144 for all, which is some 25 MB of JSON.
  static std::size_t room(int ranks);

  static std::int64_t now() noexcept;
  void add(SpanKind kind, std::int64_t start, std::int64_t end, std::int64_t number = -1) noexcept;

  /// What is kept, in the order in which it was added.
  std::vector<Span> spans() const;
  /// Spans that were added and are not kept.
  std::size_t dropped() const { return added_ < spans_.size() ? 0 : added_ - spans_.size(); }

  std::vector<std::string> layers;  ///< name of the layer of every op, for `backward`

 private:
  std::vector<Span> spans_;
  std::size_t first_;  // kept for good
  std::size_t added_ = 0;
};

/// Adds a span from its construction to its end; with a null trace it does nothing, not even look at the clock.
class TraceSpan {
 public:
  TraceSpan(Trace* trace, SpanKind kind, std::int64_t number = -1) noexcept
      : trace_(trace), kind_(kind), number_(number), start_(trace != nullptr ? Trace::now() : 0) {}
  ~TraceSpan() {
    if (trace_ != nullptr) trace_->add(kind_, start_, Trace::now(), number_);
  }
  TraceSpan(const TraceSpan&) = delete;
  TraceSpan& operator=(const TraceSpan&) = delete;

 private:
  Trace* trace_;
  SpanKind kind_;
  std::int64_t number_, start_;
};

}  // namespace lockstep
