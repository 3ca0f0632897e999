#pragma once
#include <algorithm>
#include <chrono>
#include <cstdint>

namespace lockstep {

/// The slowest of the steps of the last one to two minutes, as seen from outside.
class SlowestStep {
 public:
  using Clock = std::chrono::steady_clock;
  /// `training`: nothing but steps goes on now.
  void look(std::int64_t step, bool training, Clock::time_point now) {
    if (!training) between_ = true;
    if (step != step_) {
      if (!between_) current_ = std::max(current_, std::chrono::duration<double>(now - since_).count());
      step_ = step;
      since_ = now;
      between_ = !training;
    }
    if (std::chrono::duration<double>(now - turned_).count() > kRecent) {
      before_ = current_;
      current_ = 0;
      turned_ = now;
    }
  }
  void shift(Clock::duration time) { since_ += time; }
  double value() const { return std::max(before_, current_); }

 private:
  static constexpr double kRecent = 60;  // seconds
  std::int64_t step_ = -1;
  bool between_ = true;  // something else than training lay in this step
  Clock::time_point since_ = Clock::now(), turned_ = since_;
  double current_ = 0, before_ = 0;
};

}  // namespace lockstep
