#include "cluster/watchdog/watchdog.h"

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdio>
#include <limits>
#include <mutex>
#include <optional>
#include <thread>

#include "cluster/host/process_state.h"
#include "cluster/watchdog/last_resort.h"
#include "cluster/watchdog/rank_log.h"
#include "cluster/watchdog/rank_view.h"
#include "cluster/watchdog/signals.h"
#include "cluster/watchdog/slowest_step.h"
#include "cluster/world.h"

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kLook{100};
constexpr milliseconds kGrace{6000};  // for MPI_Abort, before force
constexpr double kSuspended = 2;      // seconds between two looks: this process, or the whole machine, was stopped in between
constexpr double kLong = 10;          // times the deadline while files are written or opened

double seconds(Clock::duration time) { return std::chrono::duration<double>(time).count(); }

bool is_launcher(const std::string& name) {
  return name == "mpirun" || name == "orterun" || name == "mpiexec" || name == "orted" || name == "prterun" || name == "prted";
}

}  // namespace

struct Watchdog::Impl {
  Impl(const World& w, const Options& options)
      : world(w), signals(options.signals), launcher(getppid()), parent(getppid()), view(w), timeout(options.timeout) {
    if (world.size() > 1) thread = std::thread([this] { loop(); });
  }

  ~Impl() {
    {
      const std::lock_guard lock(mutex);
      ending = true;
      view.leave();
    }
    wake.notify_all();
    if (thread.joinable()) thread.join();
  }

  void loop() {
    std::unique_lock lock(mutex);
    Clock::time_point last = Clock::now();
    while (!ending) {
      wake.wait_for(lock, kLook, [this] { return ending; });
      if (ending) break;
      const auto now = Clock::now();
      if (seconds(now - last) > kSuspended) {
        view.shift(now - last);
        slowest.shift(now - last);
        awake_at = now;
      }
      last = now;
      look(now);
      // A rank that was stopped knows less than the others, who may be ending the job.
      const bool fresh = awake_at && seconds(now - *awake_at) < 3;
      if (!resting && !verdict_given && !fresh) judge(now, lock);
    }
  }

  void look(Clock::time_point now) {
    if (view.look(now) && news) news();
    const RankState& own = view.of(world.rank());
    slowest.look(own.step, own.stage == Stage::reading || own.stage == Stage::computing || own.stage == Stage::updating || waits(own.stage),
                 now);
    if (signals != nullptr && !signal_at && signals->received() != 0) {
      signal_at = now;
      say(std::string(signal_name(signals->received())) + " received");
    }
    if (!orphaned_at && parent != getppid()) {
      orphaned_at = now;
      say(fmt::format("the launcher (pid {}) has died", parent));
    }
  }

  void say(const std::string& text) const {
    if (log != nullptr) log->line(text);
  }

  double unreachable() const { return std::max(std::clamp(timeout / 2, 2.0, 15.0), 3 * interval); }
  bool leads() const { return world.rank() == 0; }

  /// Seconds without any movement after which the job is taken to hang.
  double limit(const std::vector<RankState>& all) const {
    const bool patient = std::any_of(all.begin(), all.end(), [&](const RankState& s) {
      return takes_long(s.stage) && !has_ended(s) && !is_stopped(s) && s.unheard <= unreachable();
    });
    return (timeout + slowest.value()) * (patient ? kLong : 1);
  }

  void judge(Clock::time_point now, std::unique_lock<std::mutex>& lock) {
    if (!verdict.empty()) return obey(now, lock);
    if (orphaned_at && seconds(now - *orphaned_at) > 3) return end_quietly(lock);
    if (!view.in_charge(now, unreachable())) return;
    const std::vector<RankState> all = view.states(now, log);
    if (std::any_of(all.begin(), all.end(), [](const RankState& s) { return s.leaving; }))
      return;  // an error that its rank has printed, or the end
    double quiet = std::numeric_limits<double>::max();
    bool gone = false;
    for (const RankState& state : all) {
      if (leads() || state.unheard == 0) quiet = std::min(quiet, state.quiet);
      gone = gone || has_ended(state);
    }
    if (gone) return tell(diagnose(all, unreachable(), ""), lock);
    if (is_being_ended(all, now)) return tell(diagnose(all, 1.25 * interval, "The launcher is ending the job"), lock);
    // Where rank 0 is lost every host decides for itself, one after the other, so that mostly one message is left.
    const double later = leads() ? 0 : 1 + 0.3 * std::min(world.rank(), 10);
    const double most = limit(all);
    if (quiet <= most + later) return;
    tell(diagnose(all, unreachable(),
                  fmt::format("No rank has moved for {:.1f} s (deadline {:g} s beyond the slowest recent step, {:.2g} s)", quiet, timeout,
                              slowest.value())),
         lock);
  }

  /// mpirun ends a job by SIGCONT and, a second later, SIGTERM: when a rank elsewhere has been silent since, that one is why.
  bool is_being_ended(const std::vector<RankState>& all, Clock::time_point now) const {
    if (!view.attached() || !signal_at || signals->received() != SIGTERM || !signals->was_continued() || seconds(now - *signal_at) < 0.3)
      return false;
    if (!leads() && !view.speaks_for_zero()) return false;
    const RankState& own = *std::find_if(all.begin(), all.end(), [&](const RankState& s) { return s.rank == world.rank(); });
    if (!waits(own.stage) || own.quiet < 0.5) return false;
    return std::any_of(all.begin(), all.end(), [&](const RankState& s) { return s.unheard > 1.25 * interval; });
  }

  void tell(const Diagnosis& diagnosis, std::unique_lock<std::mutex>& lock) {
    verdict_given = true;
    view.leave();
    verdict = diagnosis.text;
    force();
    const auto call = hook;
    lock.unlock();  // heartbeats carry the verdict
    std::fflush(stdout);
    std::fprintf(stderr, "[rank %d on %s] %s\n", diagnosis.rank, diagnosis.host.c_str(), diagnosis.text.c_str());
    std::fflush(stderr);
    say("the job ends: " + diagnosis.text);
    if (call) call(diagnosis);
    std::this_thread::sleep_for(milliseconds(200));
    end();
  }

  /// Rank 0 has told why the job ends, and ends it; if that does not reach this host, it is ended here.
  void obey(Clock::time_point now, std::unique_lock<std::mutex>& lock) {
    if (!obeyed_at) {
      obeyed_at = now;
      say("the job ends: " + verdict);
    }
    if (now - *obeyed_at < kGrace) return;
    verdict_given = true;
    force();
    lock.unlock();
    end();
  }

  /// Without a launcher there is nobody to read a message.
  void end_quietly(std::unique_lock<std::mutex>& lock) {
    verdict_given = true;
    force();
    lock.unlock();
    say("ending, since there is no launcher");
    end();
  }

  void force() const {
    const bool ours = parent == getppid() && is_launcher(process_name(parent));
    end_by_force(view.processes(), ours ? &launcher : nullptr, kGrace);
  }

  [[noreturn]] static void end() {
    MPI_Abort(MPI_COMM_WORLD, kFailed);
    _exit(kFailed);
  }

  const World& world;
  const StopSignals* const signals;
  const ProcessHandle launcher;
  const pid_t parent;

  mutable std::mutex mutex;  // all below
  std::condition_variable wake;
  RankView view;
  double timeout;
  SlowestStep slowest;
  const RankLog* log = nullptr;
  std::function<void(const Diagnosis&)> hook;
  std::function<void()> news;
  double interval = 1;
  std::string verdict;
  std::optional<Clock::time_point> awake_at, obeyed_at, orphaned_at, signal_at;  // awake_at: after this process was stopped
  bool resting = false, verdict_given = false, ending = false;
  bool parting = false, heard_parting = false;
  std::thread thread;  // last: it uses all of the above
};

Watchdog::Watchdog(const World& world, const Options& options) : impl_(std::make_unique<Impl>(world, options)) {}
Watchdog::~Watchdog() = default;

void Watchdog::timeout(double seconds) {
  const std::lock_guard lock(impl_->mutex);
  impl_->timeout = seconds;
}

void Watchdog::log_to(const RankLog* log) {
  const std::lock_guard lock(impl_->mutex);
  impl_->log = log;
}

void Watchdog::on_verdict(std::function<void(const Diagnosis&)> hook) {
  const std::lock_guard lock(impl_->mutex);
  impl_->hook = std::move(hook);
}

void Watchdog::leaving(const std::string& error) {
  std::unique_lock lock(impl_->mutex);
  impl_->view.leave();
  impl_->say("error: " + error);
  impl_->parting = true;
  if (!impl_->news || impl_->leads()) return;
  impl_->news();
  impl_->wake.wait_for(lock, milliseconds(500), [this] { return impl_->heard_parting; });
}

void Watchdog::rest() {
  const std::lock_guard lock(impl_->mutex);
  impl_->resting = true;
  impl_->view.leave();
}

Watchdog::Heartbeat Watchdog::heartbeat() const {
  const std::lock_guard lock(impl_->mutex);
  return {impl_->view.own(), impl_->view.silent(Clock::now(), impl_->log)};
}

Watchdog::HeartbeatReply Watchdog::heard(const Heartbeat& heartbeat) {
  const std::lock_guard lock(impl_->mutex);
  const auto now = Clock::now();
  impl_->view.hear(heartbeat.own, true, now);
  for (const RankState& state : heartbeat.silent) impl_->view.hear(state, false, now);
  return {impl_->verdict, impl_->view.of(0)};
}

void Watchdog::answered(const HeartbeatReply& reply) {
  const std::lock_guard lock(impl_->mutex);
  impl_->view.answer(reply.zero, Clock::now());
  if (impl_->verdict.empty()) impl_->verdict = reply.verdict;
  impl_->heard_parting = impl_->parting;
  impl_->wake.notify_all();
}

void Watchdog::on_news(std::function<void()> news, double interval) {
  const std::lock_guard lock(impl_->mutex);
  impl_->news = std::move(news);
  impl_->interval = interval;
}

}  // namespace lockstep
