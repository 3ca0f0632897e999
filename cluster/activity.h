#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace lockstep {

/// Where the main thread of a rank stands.
enum class Place : std::uint32_t {
  starting,
  opening_data,
  reading,
  computing,
  updating,
  validating,
  callbacks,  ///< hooks at the end of an epoch and at a request: checkpoint, history
  finishing,  ///< the result is written
  barrier,    ///< from here on: waits for other ranks
  collective,
  agreement,
  host_flags,
  messages,
  gradients,
};

/// "reading rows", "waiting for the ranks of its host", ...
const char* place_name(Place place) noexcept;
inline bool waits(Place place) { return place >= Place::barrier; }
/// Whether the rank is writing or reading files that can take long: its deadline is ten times as long.
inline bool takes_long(Place place) {
  return place == Place::starting || place == Place::opening_data || place == Place::callbacks || place == Place::finishing;
}

/// What others see of a rank's main thread. Lies in memory that the ranks of a host share, so that they see it when the rank itself can
/// tell nothing any more.
struct ActivityCell {
  std::atomic<std::uint64_t> beats{0};  ///< grows whenever the thread gets on
  std::atomic<std::int64_t> step{0};    ///< global steps done
  std::atomic<Place> place{Place::starting};
  std::atomic<std::uint32_t> leaving{0};  ///< it ends, and has said why
};

/// The main thread's side: a few relaxed stores, no lock, no clock.
class Activity {
 public:
  void at(Place place) noexcept {
    cell_->place.store(place, std::memory_order_relaxed);
    beat();
  }
  void beat() noexcept { cell_->beats.store(cell_->beats.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void step(std::int64_t done) noexcept { cell_->step.store(done, std::memory_order_relaxed); }
  Place place() const noexcept { return cell_->place.load(std::memory_order_relaxed); }
  const ActivityCell& cell() const noexcept { return *cell_; }
  /// What happens from now on is told in this cell, or with null in one of this object's own. For the main thread alone.
  void move_to(ActivityCell* cell) noexcept {
    ActivityCell* const next = cell == nullptr ? &own_ : cell;
    next->beats = cell_->beats.load();
    next->step = cell_->step.load();
    next->place = cell_->place.load();
    cell_ = next;
  }

 private:
  ActivityCell own_;
  ActivityCell* cell_ = &own_;
};

/// At a place while it lives; then back at the one before.
class At {
 public:
  At(Activity& activity, Place place) noexcept : activity_(activity), before_(activity.place()) { activity.at(place); }
  ~At() { activity_.at(before_); }
  At(const At&) = delete;
  At& operator=(const At&) = delete;

 private:
  Activity& activity_;
  const Place before_;
};

}  // namespace lockstep
