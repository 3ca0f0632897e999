#pragma once
#include <filesystem>
#include <string>

namespace lockstep {

class World;

/// The log of one rank: what it did and how it ended, since the output of a dying rank is lost. A line is one write(2), so that nothing
/// that was said is lost with the process. Any thread may write.
class RankLog {
 public:
  /// Collective. RUN_DIR/logs/rank-0003.log; on a host that does not see rank 0's RUN_DIR, lockstep-NAME/rank-0003.log in its own temporary
  /// directory, NAME that of the run directory. A log that cannot be opened is a warning (path() is then empty).
  RankLog(const World& world, const std::filesystem::path& run_dir);
  ~RankLog();
  RankLog(const RankLog&) = delete;
  RankLog& operator=(const RankLog&) = delete;

  /// With date, time to the millisecond and the rank.
  void line(const std::string& text) const noexcept;
  const std::filesystem::path& path() const { return path_; }
  /// "ranks 2, 3 on h2 log to PATH, because ..."; empty if all logs are in the run directory. On every rank.
  const std::string& elsewhere() const { return elsewhere_; }
  int descriptor() const { return descriptor_; }

 private:
  std::filesystem::path path_;
  std::string elsewhere_;
  int descriptor_ = -1;
};

/// The last line of a log that tells how its process ended ("crashed: ...", "second signal ..."); "" if there is none or it cannot be read.
std::string last_words(const std::filesystem::path& log);

}  // namespace lockstep
