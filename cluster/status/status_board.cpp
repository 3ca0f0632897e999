#include "cluster/status/status_board.h"

#include <algorithm>
#include <limits>
#include <thread>
#include <utility>

namespace lockstep {
namespace {

constexpr unsigned kStop = 1, kStopCheckpoint = 2, kCheckpoint = 4;
constexpr std::size_t kOutcomesKept = 1024;

double seconds_since_1970(std::chrono::system_clock::time_point time) {
  return std::chrono::duration<double>(time.time_since_epoch()).count();
}

CheckpointOutcome written(const CheckpointInfo& checkpoint) {
  CheckpointOutcome outcome;
  outcome.state = CheckpointOutcome::State::written;
  outcome.checkpoint = checkpoint;
  return outcome;
}

CheckpointOutcome failed(const std::string& reason) {
  CheckpointOutcome outcome;
  outcome.state = CheckpointOutcome::State::failed;
  outcome.reason = reason;
  return outcome;
}

}  // namespace

StatusBoard::StatusBoard() : started_(std::chrono::system_clock::now()), start_instant_(std::chrono::steady_clock::now()) {}

void StatusBoard::start(RunInfo info) {
  const std::lock_guard lock(mutex_);
  info_ = std::move(info);
  metric_count_ = info_.metrics.size();
  metrics_ = std::make_unique<std::atomic<double>[]>(metric_count_);
  for (std::size_t i = 0; i < metric_count_; ++i) metrics_[i].store(std::numeric_limits<double>::quiet_NaN(), std::memory_order_relaxed);
  started_ = std::chrono::system_clock::now();
  start_instant_ = std::chrono::steady_clock::now();
  rates_ = RateWindow();
}

// A sequence lock without fences (which ThreadSanitizer does not know): a reader that meets a new counter has acquired the odd version
// stored before it, so that its second look at the version differs from the first. On x86-64 these are plain stores.
void StatusBoard::step(std::int64_t epoch, std::int64_t step_in_epoch, std::int64_t global_step, std::int64_t samples) noexcept {
  const std::uint64_t version = version_.load(std::memory_order_relaxed);
  version_.store(version + 1, std::memory_order_relaxed);
  epoch_.store(epoch, std::memory_order_release);
  step_in_epoch_.store(step_in_epoch, std::memory_order_release);
  global_step_.store(global_step, std::memory_order_release);
  samples_.store(samples, std::memory_order_release);
  version_.store(version + 2, std::memory_order_release);
}

Progress StatusBoard::progress() const noexcept {
  for (;;) {
    const std::uint64_t before = version_.load(std::memory_order_acquire);
    const Progress progress{epoch_.load(std::memory_order_acquire), step_in_epoch_.load(std::memory_order_acquire),
                            global_step_.load(std::memory_order_acquire), samples_.load(std::memory_order_acquire)};
    if (before % 2 == 0 && version_.load(std::memory_order_relaxed) == before) return progress;
    std::this_thread::yield();
  }
}

void StatusBoard::metrics(std::span<const double> values) noexcept {
  const std::size_t count = std::min(values.size(), metric_count_);
  for (std::size_t i = 0; i < count; ++i) metrics_[i].store(values[i], std::memory_order_relaxed);
}

void StatusBoard::times(const TimeShares& seconds) noexcept {
  times_[0].store(seconds.compute, std::memory_order_relaxed);
  times_[1].store(seconds.communication, std::memory_order_relaxed);
  times_[2].store(seconds.input, std::memory_order_relaxed);
  times_[3].store(seconds.other, std::memory_order_relaxed);
}

Requests StatusBoard::pending() const noexcept {
  const unsigned bits = requests_.load(std::memory_order_relaxed);
  return {.stop = (bits & kStop) != 0, .stop_checkpoint = (bits & kStopCheckpoint) != 0, .checkpoint = (bits & kCheckpoint) != 0};
}

void StatusBoard::epoch_end(EpochRecord record) {
  const std::lock_guard lock(mutex_);
  history_.push_back(std::move(record));
}

void StatusBoard::complete(const Ticket& ticket, CheckpointOutcome outcome) {
  outcomes_[ticket.number] = std::move(outcome);
  if (outcomes_.size() > kOutcomesKept) outcomes_.erase(outcomes_.begin());
}

void StatusBoard::checkpoint_started() { requests_.fetch_and(~kCheckpoint, std::memory_order_relaxed); }

void StatusBoard::checkpoint_written(CheckpointInfo checkpoint) {
  const std::lock_guard lock(mutex_);
  while (!open_tickets_.empty() && open_tickets_.front().step <= checkpoint.step) {  // tickets lie in the order of their steps
    complete(open_tickets_.front(), written(checkpoint));
    open_tickets_.pop_front();
  }
  if (open_tickets_.empty()) requests_.fetch_and(~kCheckpoint, std::memory_order_relaxed);
  checkpoints_.push_back(std::move(checkpoint));
  changed_.notify_all();
}

void StatusBoard::checkpoint_failed(const std::string& reason) {
  const std::lock_guard lock(mutex_);
  for (const Ticket& ticket : open_tickets_) complete(ticket, failed(reason));
  open_tickets_.clear();
  requests_.fetch_and(~kCheckpoint, std::memory_order_relaxed);
  changed_.notify_all();
}

void StatusBoard::finish(Phase phase, const std::string& reason) {
  {
    const std::lock_guard lock(mutex_);
    if (is_final(this->phase())) return;
    reason_ = reason;
    end_instant_ = std::chrono::steady_clock::now();
    this->phase(phase);
  }
  checkpoint_failed("the run ended (" + reason + ")");
}

std::string StatusBoard::reason() const {
  const std::lock_guard lock(mutex_);
  return reason_;
}

std::vector<EpochRecord> StatusBoard::history() const {
  const std::lock_guard lock(mutex_);
  return history_;
}

std::vector<CheckpointInfo> StatusBoard::checkpoints() const {
  const std::lock_guard lock(mutex_);
  return checkpoints_;
}

Status StatusBoard::snapshot(std::chrono::steady_clock::time_point now) {
  Status status;
  status.progress = progress();
  const std::lock_guard lock(mutex_);
  status.run = info_;
  status.phase = phase();
  status.reason = reason_;
  status.stop_request = stop_message_;
  for (std::size_t i = 0; i < metric_count_; ++i) {
    status.metrics.emplace_back(info_.metrics[i], metrics_[i].load(std::memory_order_relaxed));
  }
  status.times = {times_[0].load(std::memory_order_relaxed), times_[1].load(std::memory_order_relaxed),
                  times_[2].load(std::memory_order_relaxed), times_[3].load(std::memory_order_relaxed)};
  status.started = seconds_since_1970(started_);
  status.elapsed = std::chrono::duration<double>((is_final(status.phase) ? end_instant_ : now) - start_instant_).count();
  status.checkpoints = static_cast<std::int64_t>(checkpoints_.size());
  if (status.phase == Phase::training) {
    rates_.add(now, status.progress.global_step, status.progress.samples);
  } else {
    rates_.pause();
  }
  status.samples_per_second = rates_.samples_per_second();
  status.steps_per_second = rates_.steps_per_second();
  if (!is_final(status.phase)) estimate(status);
  return status;
}

// The rest of this epoch at the present rate of steps; later epochs as long as those seen so far, which include validation.
void StatusBoard::estimate(Status& status) const {
  const double rate = status.steps_per_second.value_or(0);
  if (!(rate > 0) || status.progress.epoch == 0) return;
  const double rest = static_cast<double>(std::max<std::int64_t>(0, info_.steps_per_epoch - status.progress.step_in_epoch)) / rate;
  double epoch_seconds = static_cast<double>(info_.steps_per_epoch) / rate;
  if (!history_.empty()) {
    double sum = 0;
    for (const EpochRecord& record : history_) sum += record.seconds;
    epoch_seconds = sum / static_cast<double>(history_.size());
  }
  status.epoch_eta = rest;
  status.run_eta = rest + static_cast<double>(std::max<std::int64_t>(0, info_.epochs - status.progress.epoch)) * epoch_seconds;
}

bool StatusBoard::request_stop(const std::string& message, bool with_checkpoint) {
  const std::lock_guard lock(mutex_);
  if (is_final(phase())) return false;
  stop_message_ = message.empty() ? "stop requested" : message;
  requests_.fetch_or(kStop | (with_checkpoint ? kStopCheckpoint : 0), std::memory_order_relaxed);
  return true;
}

std::uint64_t StatusBoard::request_checkpoint() {
  const Progress now = progress();
  const std::lock_guard lock(mutex_);
  const Ticket ticket{++last_ticket_, open_tickets_.empty() ? now.global_step : std::max(now.global_step, open_tickets_.back().step)};
  if (is_final(phase())) {
    complete(ticket, failed("the run ended (" + reason_ + ")"));
  } else {
    open_tickets_.push_back(ticket);
    requests_.fetch_or(kCheckpoint, std::memory_order_relaxed);
  }
  return ticket.number;
}

CheckpointOutcome StatusBoard::wait_for_checkpoint(std::uint64_t ticket, std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  const auto is_open = [&] { return !open_tickets_.empty() && ticket >= open_tickets_.front().number; };
  if (!changed_.wait_for(lock, timeout, [&] { return !is_open(); })) return {};
  const auto found = outcomes_.find(ticket);
  if (found != outcomes_.end()) return found->second;
  return failed("no such request, or one long past");
}

bool StatusBoard::wait_for_end(std::chrono::milliseconds timeout) {
  std::unique_lock lock(mutex_);
  return changed_.wait_for(lock, timeout, [&] { return is_final(phase()); });
}

}  // namespace lockstep
