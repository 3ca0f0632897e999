#include "core/training/progress.h"

#include <unistd.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <system_error>

namespace lockstep {
namespace {

constexpr int kBarWidth = 20;
constexpr double kRefreshSeconds = 0.05;

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[96];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string time_per_step(double seconds) {
  if (seconds >= 1 || seconds == 0) return format("%.0fs/step", seconds);
  if (seconds >= 1e-3) return format("%.0fms/step", seconds * 1e3);
  return format("%.0fus/step", seconds * 1e6);
}

std::string remaining(double seconds) {
  const auto eta = static_cast<long long>(seconds);
  if (eta > 3600) return format("%lld:%02lld:%02lld", eta / 3600, eta % 3600 / 60, eta % 60);
  if (eta > 60) return format("%lld:%02lld", eta / 60, eta % 60);
  return format("%llds", eta);
}

std::string shown(const NamedValues& values, bool absolute) {
  std::string text;
  for (const auto& [name, value] : values) {
    const double size = absolute ? std::abs(value) : value;  // Keras' two forms differ here
    text += " - " + name + ": " + format(size > 1e-3 ? "%.4f" : "%.4e", value);
  }
  return text;
}

std::string repeat(const char* text, int count) {
  std::string repeated;
  for (int i = 0; i < count; ++i) repeated += text;
  return repeated;
}

/// Characters a terminal shows: escapes take no place, a UTF-8 character takes one.
std::size_t visible_width(const std::string& text) {
  std::size_t width = 0;
  bool escape = false;
  for (const char c : text) {
    if (c == '\033') escape = true;
    if (!escape && (static_cast<unsigned char>(c) & 0xC0U) != 0x80U) ++width;
    if (escape && c == 'm') escape = false;
  }
  return width;
}

/// Whether somebody watches standard output. mpirun gives its ranks pseudo-terminals even where its own output goes to a file, so on the
/// ranks it has started itself its own standard output counts; ranks on other hosts are children of a daemon that has none. Under lockstep
/// launch, which reads mpirun's output, that of launch counts.
bool on_terminal() {
  if (isatty(STDOUT_FILENO) != 1) return false;
  if (std::getenv("OMPI_COMM_WORLD_RANK") == nullptr) return true;
  if (std::getenv("LOCKSTEP_TERMINAL") != nullptr) return true;
  std::error_code error;
  const auto target = std::filesystem::read_symlink("/proc/" + std::to_string(getppid()) + "/fd/1", error).string();
  return !error && (target.rfind("/dev/pts/", 0) == 0 || target.rfind("/dev/tty", 0) == 0 || target == "/dev/console");
}

NamedValues named(const Logs& logs) { return {logs.begin(), logs.end()}; }

}  // namespace

std::string progress_bar(std::int64_t done, std::int64_t target, double seconds, double per_step, const NamedValues& values) {
  const std::string total = std::to_string(target);
  const int filled = static_cast<int>(kBarWidth * (static_cast<double>(done) / static_cast<double>(target)));
  std::string bar = "\033[1m" + format("%*lld", static_cast<int>(total.size()), static_cast<long long>(done)) + "/" + total + "\033[0m ";
  if (filled > 0) bar += "\033[32m" + repeat("━", filled) + "\033[0m";
  bar += "\033[37m" + repeat("━", kBarWidth - filled) + "\033[0m ";
  const std::string time = done < target ? remaining(per_step * static_cast<double>(target - done)) : format("%.0fs", seconds);
  return bar + "\033[1m" + time + "\033[0m " + time_per_step(per_step) + shown(values, true);
}

std::string progress_line(std::int64_t target, double seconds, double per_step, const NamedValues& values) {
  return std::to_string(target) + "/" + std::to_string(target) + format(" - %.0fs - ", seconds) + time_per_step(per_step) +
         shown(values, false);
}

ProgressPrinter::ProgressPrinter(int verbose, bool prints)
    : prints_(prints && verbose > 0), bar_(prints && verbose == 1 && on_terminal()), lines_(verbose == 2) {}

void ProgressPrinter::on_epoch_begin(const FitState& state) {
  start_ = first_step_ = drawn_ = Clock::now();
  first_ = state.step;
  width_ = 0;
  if (prints_ && (bar_ || lines_) && state.epochs > 1) {
    std::printf("Epoch %lld/%lld\n", static_cast<long long>(state.epoch + 1), static_cast<long long>(state.epochs));
    std::fflush(stdout);
  }
}

/// Keras leaves the first step, which warms everything up, out of the average.
double ProgressPrinter::per_step(std::int64_t done, Clock::time_point now) const {
  const std::int64_t steps = done - first_;
  if (steps > 1) return std::chrono::duration<double>(now - first_step_).count() / static_cast<double>(steps - 1);
  return std::chrono::duration<double>(now - start_).count();
}

void ProgressPrinter::on_train_batch_end(const FitState& state) {
  if (!prints_) return;
  const auto now = Clock::now();
  if (state.step == first_ + 1) first_step_ = now;
  if (!bar_ || state.step == state.steps_per_epoch || std::chrono::duration<double>(now - drawn_).count() < kRefreshSeconds) return;
  drawn_ = now;
  const std::vector<double> running = state.running();
  Logs logs;
  for (std::size_t i = 0; i < running.size(); ++i) logs[state.metric_names[i]] = running[i];
  const double seconds = std::chrono::duration<double>(now - start_).count();
  const std::string bar = progress_bar(state.step, state.steps_per_epoch, seconds, per_step(state.step, now), named(logs));
  draw(bar, visible_width(bar), false);
}

void ProgressPrinter::on_epoch_end(const FitState& state, Logs& logs) {
  if (!prints_) return;
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - start_).count(), average = per_step(state.step, now);
  const std::string weights = format(" - weights %016llx", static_cast<unsigned long long>(state.history->digests.back()));
  if (bar_) {
    const std::string bar = progress_bar(state.step, state.steps_per_epoch, seconds, average, named(logs)) + weights;
    return draw(bar, visible_width(bar), true);
  }
  std::string line = progress_line(state.steps_per_epoch, seconds, average, named(logs)) + weights;
  if (!lines_) line = "Epoch " + std::to_string(state.epoch + 1) + "/" + std::to_string(state.epochs) + " - " + line;
  std::printf("%s\n", line.c_str());
  std::fflush(stdout);
}

void ProgressPrinter::draw(const std::string& bar, std::size_t visible, bool last) {
  std::string text(width_, '\b');
  text += '\r' + bar;
  if (visible < width_) text.append(width_ - visible, ' ');
  width_ = visible;
  if (last) text += '\n';
  std::fwrite(text.data(), 1, text.size(), stdout);
  std::fflush(stdout);
}

}  // namespace lockstep
