#include "launch/job/batch_script.h"

#include <algorithm>
#include <regex>

#include "cluster/error.h"

namespace lockstep {
namespace {

constexpr const char* kSbatch = "#SBATCH --";

/// A line break would begin a line of its own, a blank another option; sbatch has no quotes that hide them.
void check_value(const std::string& option, const std::string& value, bool blanks) {
  const auto wrong = [blanks](unsigned char c) { return c < 0x20 || c == 0x7f || (!blanks && c == ' '); };
  const auto found = std::find_if(value.begin(), value.end(), wrong);
  if (found == value.end()) return;
  const std::string what = *found == ' ' ? "a blank" : "a line break or another control character";
  throw Error("submit: " + option + " '" + value + "': " + what + " cannot stand in a line of sbatch's options", kUsage);
}

}  // namespace

std::filesystem::path batch_template() {
  return std::filesystem::read_symlink("/proc/self/exe").parent_path().parent_path() / "share/lockstep/slurm/train.sbatch";
}

std::pair<std::size_t, std::size_t> BatchScript::find(const std::string& start, bool last) const {
  const std::size_t before = last ? text_.rfind("\n" + start) : text_.find("\n" + start);
  if (before == std::string::npos) return {before, before};
  return {before + 1, std::min(text_.find('\n', before + 1), text_.size())};
}

void BatchScript::line(const std::string& line) {
  check_value("option", line, true);
  const auto [first, last] = find(kSbatch, true);
  if (first == std::string::npos)
    throw Error(name_ + ": expected lines that begin with " + kSbatch + ", found none; install Lockstep's own again");
  text_.insert(last, "\n#SBATCH " + line);
}

void BatchScript::option(const std::string& option, const std::string& value) {
  check_value(option == "job-name" ? "the configuration's name" : "--" + option, value, false);
  const auto [first, last] = find(kSbatch + option + "=");
  if (first == std::string::npos) return line("--" + option + "=" + value);
  text_.replace(first, last - first, kSbatch + option + "=" + value);
}

void BatchScript::variable(const std::string& name, const std::string& value) {
  const auto [first, last] = find(name + "=");
  if (first == std::string::npos) throw Error(name_ + ": expected a line '" + name + "=...', found none; install Lockstep's own again");
  text_.replace(first, last - first, name + "=" + value);
}

std::string shell_word(const std::string& text) {
  if (!text.empty() &&
      text.find_first_not_of("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-+=.,:/@%") == std::string::npos)
    return text;
  std::string word = "'";
  for (const char c : text) word += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return word + "'";
}

std::int64_t slurm_seconds(const std::string& time) {
  if (time == "UNLIMITED" || time == "INFINITE") return 0;
  static const std::regex form(R"((?:(\d{1,6})-)?(\d{1,8})(?::(\d{1,4}))?(?::(\d{1,4}))?)");
  std::smatch parts;
  if (!std::regex_match(time, parts, form)) {
    throw Error(
        "--time " + time +
            ": expected minutes, minutes:seconds, hours:minutes:seconds, days-hours, days-hours:minutes or days-hours:minutes:seconds",
        kUsage);
  }
  const auto part = [&](std::size_t i) { return parts[i].matched ? std::stoll(parts[i]) : 0; };
  if (parts[1].matched) return ((part(1) * 24 + part(2)) * 60 + part(3)) * 60 + part(4);
  if (parts[4].matched) return (part(2) * 60 + part(3)) * 60 + part(4);
  return part(2) * 60 + part(3);
}

}  // namespace lockstep
