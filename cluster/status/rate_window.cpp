#include "cluster/status/rate_window.h"

namespace lockstep {

void RateWindow::add(Time now, std::int64_t steps, std::int64_t samples) {
  while (points_.size() > 1 && now - points_[1].time >= width_) points_.pop_front();
  if (!points_.empty()) {
    const Point& oldest = points_.front();
    const double seconds = std::chrono::duration<double>(now - oldest.time).count();
    if (seconds > 0) {
      steps_rate_ = static_cast<double>(steps - oldest.steps) / seconds;
      samples_rate_ = static_cast<double>(samples - oldest.samples) / seconds;
    }
  }
  // Many readers may look at once: points closer than a hundredth of the window add nothing but memory.
  if (points_.empty() || now - points_.back().time >= width_ / 100) points_.push_back({now, steps, samples});
}

}  // namespace lockstep
