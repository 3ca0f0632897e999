#include "cluster/trace/trace.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace lockstep {

const char* name_of(SpanKind kind) {
  constexpr std::array kNames = {"start",    "step",   "input",     "forward",    "loss",       "backward", "gradient",
                                 "exchange", "update", "callbacks", "checkpoint", "validation", "epoch end"};
  return kNames.at(static_cast<std::size_t>(kind));
}

Trace::Trace(std::size_t spans) : spans_(std::max<std::size_t>(spans, 4)), first_(spans_.size() / 4) {}

std::size_t Trace::room(int ranks) {
  constexpr std::size_t kOfRank = 1U << 16U, kOfAll = 1U << 18U;
  return std::min(kOfRank, kOfAll / static_cast<std::size_t>(std::max(ranks, 1)));
}

std::int64_t Trace::now() noexcept {
  return std::chrono::duration_cast<std::chrono::nanoseconds>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

void Trace::add(SpanKind kind, std::int64_t start, std::int64_t end, std::int64_t number) noexcept {
  const std::size_t at = added_ < spans_.size() ? added_ : first_ + (added_ - first_) % (spans_.size() - first_);
  spans_[at] = {start, end, number, kind};
  ++added_;
}

std::vector<Trace::Span> Trace::spans() const {
  if (added_ <= spans_.size()) return {spans_.begin(), spans_.begin() + static_cast<std::ptrdiff_t>(added_)};
  std::vector<Span> kept = spans_;
  const auto ring = kept.begin() + static_cast<std::ptrdiff_t>(first_);
  std::rotate(ring, ring + static_cast<std::ptrdiff_t>((added_ - first_) % (spans_.size() - first_)), kept.end());
  return kept;
}

}  // namespace lockstep
