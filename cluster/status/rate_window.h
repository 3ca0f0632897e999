#pragma once
#include <chrono>
#include <cstdint>
#include <deque>
#include <optional>

namespace lockstep {

/// Rates of two counters over a sliding window, from whatever instants a reader looks at them. A stalled counter's rate falls to 0
/// within one window.
class RateWindow {
 public:
  using Time = std::chrono::steady_clock::time_point;
  explicit RateWindow(std::chrono::milliseconds width = std::chrono::seconds(10)) : width_(width) {}

  void add(Time now, std::int64_t steps, std::int64_t samples);
  /// The counters rest on purpose (validation, checkpoint): forget the points, keep the rates.
  void pause() { points_.clear(); }

  /// Per second; empty before two points at different times.
  std::optional<double> steps_per_second() const { return steps_rate_; }
  std::optional<double> samples_per_second() const { return samples_rate_; }

 private:
  struct Point {
    Time time;
    std::int64_t steps, samples;
  };
  std::chrono::milliseconds width_;
  std::deque<Point> points_;  // oldest first; at most one is older than the window
  std::optional<double> steps_rate_, samples_rate_;
};

}  // namespace lockstep
