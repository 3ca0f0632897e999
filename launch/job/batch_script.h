#pragma once
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

namespace lockstep {

/// launch/slurm/train.sbatch as it was installed with this program (PREFIX/share/lockstep/slurm, beside PREFIX/bin).
std::filesystem::path batch_template();

/// A batch script made from a template: some of its #SBATCH lines and variables get other values, all else stays as it stands there.
class BatchScript {
 public:
  /// `name` is for messages.
  BatchScript(std::string text, std::string name) : text_(std::move(text)), name_(std::move(name)) {}

  /// "#SBATCH --option=value": in the place of the template's line about this option, or behind its last one.
  void option(const std::string& option, const std::string& value);
  /// "#SBATCH line" behind the last one; what comes later wins.
  void line(const std::string& line);
  /// "name=value" in the place of the template's line about this variable, its comment included; an Error if there is none. `value` is
  /// shell code.
  void variable(const std::string& name, const std::string& value);

  const std::string& text() const { return text_; }

 private:
  /// Start and end of the first line, or with `last` the last one, that begins with `start`; npos if there is none.
  std::pair<std::size_t, std::size_t> find(const std::string& start, bool last = false) const;
  std::string text_, name_;
};

/// 'text' as one word of a shell.
std::string shell_word(const std::string& text);

/// Seconds of Slurm's "90" (minutes), "90:00", "1:30:00", "1-12", "1-12:30" or "1-12:30:00"; 0 for UNLIMITED. An Error (kUsage) for
/// anything else.
std::int64_t slurm_seconds(const std::string& time);

}  // namespace lockstep
