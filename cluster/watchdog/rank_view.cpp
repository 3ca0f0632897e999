#include "cluster/watchdog/rank_view.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <new>
#include <sstream>

#include "cluster/watchdog/crash_report.h"
#include "cluster/watchdog/rank_log.h"

namespace lockstep {
namespace {

double seconds(RankView::Clock::duration time) { return std::chrono::duration<double>(time).count(); }

std::string peer_of(const RankCell& cell) { return cell.waits_for_peer.load(std::memory_order_acquire) != 0 ? cell.peer.data() : ""; }

}  // namespace

RankView::RankView(const World& world)
    : world_(world),
      cells_(world, sizeof(RankCell)),
      own_(new (cells_.segment(world.local_rank())) RankCell),
      cell_(&own_->activity),
      kills_(out_of_memory_kills()),
      answered_(Clock::now()) {
  world.activity().move_to(cell_);
  mark_told_crash(&cell_->leaving);
  world.barrier();  // every cell is there
  const std::vector<std::string> names = world.all_gather(fmt::format("{} {} {}", getpid(), world.local_rank(), world.hostname()));
  const std::vector<std::string> hosts = world.all_gather(fmt::format("{}", host_number()));
  for (std::size_t r = 0; r < names.size(); ++r) {
    Entry entry;
    int local = 0;
    std::istringstream(names[r]) >> entry.state.pid >> local >> entry.state.host;
    entry.state.rank = static_cast<int>(r);
    entry.changed = entry.heard = answered_;
    if (hosts[r] == hosts[static_cast<std::size_t>(world.rank())]) {
      entry.cell = reinterpret_cast<const RankCell*>(cells_.segment(local));
      entry.process = processes_.size();
      processes_.emplace_back(entry.state.pid);
    }
    table_.push_back(std::move(entry));
  }
}

RankView::~RankView() {
  mark_told_crash(nullptr);
  world_.activity().move_to(nullptr);
}

/// The lowest rank of this host, told through the host's memory: names need not be unique. Collective.
int RankView::host_number() {
  std::atomic<int>* const number = &reinterpret_cast<RankCell*>(cells_.segment(0))->host;
  if (world_.local_rank() == 0) number->store(world_.rank());
  world_.barrier();
  return number->load();
}

void RankView::shift(Clock::duration time) {
  for (Entry& entry : table_) {
    entry.changed += time;
    entry.heard += time;
  }
  answered_ += time;
}

/// Only this process may see what its thread waits for.
void RankView::look_at_itself(Clock::time_point now) {
  const Entry& own = table_[static_cast<std::size_t>(world_.rank())];
  const std::string peer = seconds(now - own.changed) > 1 ? connection_waited_for() : "";
  if (peer == peer_of(*own_)) return;
  own_->waits_for_peer.store(0);
  if (peer.empty()) return;
  own_->peer[peer.copy(own_->peer.data(), own_->peer.size() - 1)] = '\0';
  own_->waits_for_peer.store(1, std::memory_order_release);
}

bool RankView::look(Clock::time_point now) {
  bool news = false;
  look_at_itself(now);
  for (Entry& entry : table_) {
    if (entry.cell == nullptr) continue;
    RankState& state = entry.state;
    const std::uint64_t beats = entry.cell->activity.beats.load(std::memory_order_relaxed);
    if (beats != state.beats) entry.changed = now;
    state.beats = beats;
    state.step = entry.cell->activity.step.load(std::memory_order_relaxed);
    state.stage = entry.cell->activity.stage.load(std::memory_order_relaxed);
    state.leaving = entry.cell->activity.leaving.load() != 0;
    const char before = state.process;
    if (before != 'X')
      state.process = processes_[entry.process].ended() ? 'X' : seconds(now - entry.changed) > 0.5 ? process_state(state.pid) : 'R';
    state.note = has_ended(state) ? "" : peer_of(*entry.cell);
    news = news || (state.process != before && (has_ended(state) || is_stopped(state)));
    entry.heard = now;
  }
  return news;
}

void RankView::hear(const RankState& state, bool itself, Clock::time_point now) {
  if (!attached_) {
    for (Entry& entry : table_) entry.heard = now;
  }
  attached_ = true;
  if (state.rank < 0 || static_cast<std::size_t>(state.rank) >= table_.size()) return;
  Entry& entry = table_[static_cast<std::size_t>(state.rank)];
  if (entry.cell != nullptr) return;  // seen with own eyes
  if (state.beats != entry.state.beats) entry.changed = now;
  if (itself) entry.heard = now;
  entry.state = state;
}

void RankView::answer(const RankState& zero, Clock::time_point now) {
  attached_ = true;
  answered_ = now;
  Entry& entry = table_[0];
  if (entry.cell != nullptr) return;
  if (zero.beats != entry.state.beats) entry.changed = now;
  entry.state = zero;
}

std::vector<RankState> RankView::states(Clock::time_point now, const RankLog* log) const {
  std::vector<RankState> all;
  for (const Entry& entry : table_) {
    const bool known = entry.cell != nullptr || world_.rank() == 0 || entry.state.rank == 0;
    if (!known) continue;
    RankState state = entry.state;
    state.quiet = seconds(now - entry.changed);
    if (entry.cell == nullptr && attached_) state.unheard = seconds(now - (world_.rank() == 0 ? entry.heard : answered_));
    if (has_ended(state) && state.note.empty()) state.note = note_on(state.rank, log);
    all.push_back(std::move(state));
  }
  return all;
}

RankState RankView::own() const {
  RankState own = of(world_.rank());
  own.beats = cell_->beats.load(std::memory_order_relaxed);
  own.step = cell_->step.load(std::memory_order_relaxed);
  own.stage = cell_->stage.load(std::memory_order_relaxed);
  own.leaving = cell_->leaving.load() != 0;
  own.note = peer_of(*own_);
  return own;
}

std::vector<RankState> RankView::silent(Clock::time_point now, const RankLog* log) const {
  std::vector<RankState> all = states(now, log);
  all.erase(std::remove_if(all.begin(), all.end(),
                           [&](const RankState& state) {
                             return table_[static_cast<std::size_t>(state.rank)].cell == nullptr ||
                                    !(has_ended(state) || is_stopped(state));
                           }),
            all.end());
  return all;
}

std::string RankView::note_on(int rank, const RankLog* log) const {
  const std::string crash = log == nullptr ? "" : last_words(log->path().parent_path() / fmt::format("rank-{:04}.log", rank));
  if (const auto now = out_of_memory_kills(); crash.empty() && kills_ && now && *now > *kills_) {
    return fmt::format(
        "killed by signal 9, most likely because its host ran out of memory "
        "(out-of-memory kills of this job's cgroup: {}, {} when it started)",
        *now, *kills_);
  }
  return crash;
}

bool RankView::in_charge(Clock::time_point now, double patience) const {
  if (world_.rank() == 0) return true;
  const RankState& zero = of(0);
  if (table_[0].cell != nullptr ? !has_ended(zero) && !is_stopped(zero) : seconds(now - answered_) <= patience) return false;
  const auto lowest = std::find_if(table_.begin(), table_.end(), [](const Entry& entry) {
    return entry.cell != nullptr && !has_ended(entry.state) && !is_stopped(entry.state);
  });
  return lowest != table_.end() && lowest->state.rank == world_.rank();
}

bool RankView::speaks_for_zero() const {
  const auto elsewhere = std::find_if(table_.begin(), table_.end(), [&](const Entry& entry) { return entry.state.host != of(0).host; });
  return elsewhere != table_.end() && elsewhere->state.rank == world_.rank();
}

}  // namespace lockstep
