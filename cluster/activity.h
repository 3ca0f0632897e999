#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <string>

namespace lockstep {

/// What the main thread of a rank does.
enum class Stage : std::uint32_t {
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
const char* stage_name(Stage stage) noexcept;
inline bool waits(Stage stage) { return stage >= Stage::barrier; }
/// Whether the rank is writing or reading files that can take long: its deadline is ten times as long.
inline bool takes_long(Stage stage) {
  return stage == Stage::starting || stage == Stage::opening_data || stage == Stage::callbacks || stage == Stage::finishing;
}

/// What others see of a rank's main thread. Lies in memory that the ranks of a host share, so that they see it when the rank itself can
/// tell nothing any more.
struct ActivityCell {
  std::atomic<std::uint64_t> beats{0};  ///< grows whenever the thread gets on
  std::atomic<std::int64_t> step{0};    ///< global steps done
  std::atomic<Stage> stage{Stage::starting};
  std::atomic<std::uint32_t> leaving{0};  ///< it ends, and has said why
};

/// The main thread's side: a few relaxed stores, no lock, no clock.
class Activity {
 public:
  void enter(Stage stage) noexcept {
    cell_->stage.store(stage, std::memory_order_relaxed);
    beat();
  }
  void beat() noexcept { cell_->beats.store(cell_->beats.load(std::memory_order_relaxed) + 1, std::memory_order_relaxed); }
  void step(std::int64_t done) noexcept { cell_->step.store(done, std::memory_order_relaxed); }
  Stage stage() const noexcept { return cell_->stage.load(std::memory_order_relaxed); }
  const ActivityCell& cell() const noexcept { return *cell_; }
  /// What happens from now on is told in this cell, or with null in one of this object's own. For the main thread alone.
  void move_to(ActivityCell* cell) noexcept {
    ActivityCell* const next = cell == nullptr ? &own_ : cell;
    next->beats = cell_->beats.load();
    next->step = cell_->step.load();
    next->stage = cell_->stage.load();
    cell_ = next;
  }

 private:
  ActivityCell own_;
  ActivityCell* cell_ = &own_;
};

/// Enters a stage while it lives; then the one before again.
class ScopedStage {
 public:
  ScopedStage(Activity& activity, Stage stage) noexcept : activity_(activity), before_(activity.stage()) { activity.enter(stage); }
  ~ScopedStage() { activity_.enter(before_); }
  ScopedStage(const ScopedStage&) = delete;
  ScopedStage& operator=(const ScopedStage&) = delete;

 private:
  Activity& activity_;
  const Stage before_;
};

}  // namespace lockstep
