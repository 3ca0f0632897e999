#include "launch/steer/status_view.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

namespace lockstep {
namespace {

constexpr double kSilent = 10;  // seconds without a heartbeat that are worth a word

// What comes from elsewhere must not steer the terminal; cut without splitting a character of several bytes.
std::string plain(const std::string& text, std::size_t width) {
  std::string out;
  std::size_t columns = 0;
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    const bool continues = (byte & 0xC0) == 0x80;
    if (!continues && columns++ == width) break;
    out += byte < 0x20 || byte == 0x7F ? '?' : c;
  }
  return out;
}

std::string duration(std::optional<double> seconds) {
  if (!seconds || !std::isfinite(*seconds)) return "-";
  const auto total = static_cast<long long>(std::llround(std::max(0.0, *seconds)));
  const long long hours = total / 3600, minutes = total / 60 % 60, rest = total % 60;
  return hours > 0 ? fmt::format("{}:{:02}:{:02}", hours, minutes, rest) : fmt::format("{}:{:02}", minutes, rest);
}

std::string rate(std::optional<double> value) { return value ? fmt::format("{:.0f}", *value) : "-"; }

std::string bar(std::int64_t done, std::int64_t total, std::size_t width) {
  const double share = total > 0 ? std::clamp(static_cast<double>(done) / static_cast<double>(total), 0.0, 1.0) : 0.0;
  const auto filled = static_cast<std::size_t>(share * static_cast<double>(width));
  std::string text(filled, '=');
  if (filled < width && done > 0) text += '>';
  text.resize(width, ' ');
  return fmt::format("[{}] {:3.0f} %", text, 100 * share);
}

// Epochs that are over: the running one counts when its last step is done.
std::int64_t epochs_done(const Status& status) {
  const bool complete = status.run.steps_per_epoch > 0 && status.progress.step_in_epoch >= status.run.steps_per_epoch;
  return std::max<std::int64_t>(0, status.progress.epoch - (complete ? 0 : 1));
}

std::string metrics_text(const Status& status) {
  std::string text;
  for (const auto& [name, value] : status.metrics) text += fmt::format("{}{} {:.4f}", text.empty() ? "" : "  ", name, value);
  return text;
}

std::string shares_text(const TimeShares& times) {
  const double sum = times.compute + times.communication + times.input + times.other;
  if (!(sum > 0)) return "not measured yet";
  return fmt::format("compute {:.0f} %  communication {:.0f} %  input {:.0f} %  other {:.0f} %", 100 * times.compute / sum,
                     100 * times.communication / sum, 100 * times.input / sum, 100 * times.other / sum);
}

std::string rank_row(const RankStatus& rank, std::size_t host_width) {
  if (!rank.age) return fmt::format("{:>4}  no heartbeat yet", rank.rank);
  return fmt::format("{:>4}  {:<{}}  {:>8}  {:>5}  {:>9}  {:<13}  {:>7}  {:.1f} s ago{}", rank.rank, rank.host, host_width, rank.pid,
                     rank.epoch, rank.step, phase_name(rank.phase), fmt::format("{} MB", rank.rss_bytes / 1'000'000), *rank.age,
                     *rank.age > kSilent ? "  SILENT" : "");
}

// The rank heard of longest ago, one never heard of first; null without ranks.
const RankStatus* quietest(const std::vector<RankStatus>& ranks) {
  const auto age = [](const RankStatus& rank) { return rank.age.value_or(HUGE_VAL); };
  const auto found = std::max_element(ranks.begin(), ranks.end(), [&](const auto& a, const auto& b) { return age(a) < age(b); });
  return found == ranks.end() ? nullptr : &*found;
}

std::string silence(const std::vector<RankStatus>& ranks) {
  const RankStatus* rank = quietest(ranks);
  if (rank == nullptr) return "";
  if (!rank->age) return fmt::format("rank {} has sent no heartbeat yet", rank->rank);
  return fmt::format("rank {} on {} was heard of {:.1f} s ago", rank->rank, rank->host, *rank->age);
}

void add_ranks(const std::vector<RankStatus>& ranks, std::size_t rank_rows, std::vector<std::string>& lines) {
  std::size_t host_width = 4;
  for (const RankStatus& rank : ranks) host_width = std::max(host_width, rank.host.size());
  lines.push_back(fmt::format("{:>4}  {:<{}}  {:>8}  {:>5}  {:>9}  {:<13}  {:>7}  heartbeat", "rank", "host", host_width, "pid", "epoch",
                              "step", "phase", "memory"));
  const std::size_t shown = ranks.size() <= rank_rows ? ranks.size() : std::max<std::size_t>(rank_rows, 1) - 1;
  for (std::size_t i = 0; i < shown; ++i) lines.push_back(rank_row(ranks[i], host_width));
  if (shown < ranks.size()) lines.push_back(fmt::format("      and {} more ranks; {}", ranks.size() - shown, silence(ranks)));
}

}  // namespace

std::vector<std::string> status_table(const Status& status, std::size_t width, std::size_t rank_rows) {
  const RunInfo& run = status.run;
  const Progress& progress = status.progress;
  const std::size_t bar_width = std::clamp<std::size_t>(width, 40, 100) - 36;
  std::vector<std::string> lines;
  lines.push_back(fmt::format("{}: {}{}", run.name, phase_name(status.phase), status.reason.empty() ? "" : " (" + status.reason + ")"));
  if (!run.run_dir.empty()) lines.push_back("run dir  " + run.run_dir);
  lines.push_back(fmt::format("model    {}; batch {}", run.model, run.batch_size));
  lines.push_back(fmt::format("ranks    {} on {} host{}, {} thread{} each, allreduce {}", run.ranks, run.hosts, run.hosts == 1 ? "" : "s",
                              run.threads, run.threads == 1 ? "" : "s", run.allreduce));
  lines.push_back(fmt::format("epoch    {:>17}  {}", fmt::format("{}/{}", progress.epoch, run.epochs),
                              bar(epochs_done(status), run.epochs, bar_width)));
  lines.push_back(fmt::format("step     {:>17}  {}", fmt::format("{}/{}", progress.step_in_epoch, run.steps_per_epoch),
                              bar(progress.step_in_epoch, run.steps_per_epoch, bar_width)));
  lines.push_back("metrics  " + metrics_text(status));
  lines.push_back(fmt::format("rate     {} samples/s  {} steps/s", rate(status.samples_per_second), rate(status.steps_per_second)));
  lines.push_back(fmt::format("time     elapsed {}  ETA epoch {}  ETA run {}", duration(status.elapsed), duration(status.epoch_eta),
                              duration(status.run_eta)));
  lines.push_back("shares   " + shares_text(status.times));
  lines.push_back(fmt::format("saved    {} checkpoint{}{}", status.checkpoints, status.checkpoints == 1 ? "" : "s",
                              status.stop_request.empty() ? "" : "; stop requested: " + status.stop_request));
  add_ranks(status.ranks, rank_rows, lines);
  for (std::string& line : lines) line = plain(line, width);
  return lines;
}

std::vector<std::string> ended_table(const Status& status, std::size_t width) {
  const RunInfo& run = status.run;
  std::vector<std::string> lines{fmt::format("{}: {} ({})", run.name, phase_name(status.phase), status.reason), "run dir  " + run.run_dir};
  if (run.ranks > 0) {
    lines.push_back(fmt::format("ranks    {} on {} host{}, {} thread{} each, allreduce {}", run.ranks, run.hosts, run.hosts == 1 ? "" : "s",
                                run.threads, run.threads == 1 ? "" : "s", run.allreduce));
  }
  lines.push_back(fmt::format("epoch    {}{}", status.progress.epoch, run.epochs > 0 ? fmt::format("/{}", run.epochs) : ""));
  lines.push_back(fmt::format("step     {}", status.progress.global_step));
  lines.push_back("metrics  " + metrics_text(status));
  if (status.samples_per_second) lines.push_back(fmt::format("rate     {} samples/s", rate(status.samples_per_second)));
  if (status.elapsed > 0) lines.push_back("time     elapsed " + duration(status.elapsed));
  lines.push_back(fmt::format("saved    {} checkpoint{}", status.checkpoints, status.checkpoints == 1 ? "" : "s"));
  for (const RankStatus& rank : status.ranks) {
    lines.push_back(fmt::format("rank     {:>4}  {}  pid {}  {} MB", rank.rank, rank.host, rank.pid, rank.rss_bytes / 1'000'000));
  }
  for (std::string& line : lines) line = plain(line, width);
  return lines;
}

std::string status_line(const Status& status) {
  std::string line = fmt::format("{}: epoch {}/{} step {}/{}  {}  {} samples/s  ETA {}", phase_name(status.phase), status.progress.epoch,
                                 status.run.epochs, status.progress.step_in_epoch, status.run.steps_per_epoch, metrics_text(status),
                                 rate(status.samples_per_second), duration(status.run_eta));
  const RankStatus* rank = quietest(status.ranks);
  if (rank != nullptr && rank->age.value_or(status.elapsed) > kSilent) line += "  (" + silence(status.ranks) + ")";
  return plain(line, line.size());
}

}  // namespace lockstep
