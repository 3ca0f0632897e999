#include "cluster/watchdog/rank_log.h"

#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <ctime>
#include <fstream>
#include <map>

#include "cluster/world.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

std::string time_text() {
  timespec now{};
  clock_gettime(CLOCK_REALTIME, &now);
  tm local{};
  localtime_r(&now.tv_sec, &local);
  std::array<char, 40> text{};
  const std::size_t length = std::strftime(text.data(), text.size(), "%Y-%m-%dT%H:%M:%S", &local);
  std::snprintf(text.data() + length, text.size() - length, ".%03ld", now.tv_nsec / 1'000'000);
  return text.data();
}

std::string file_name(int rank) {
  std::array<char, 32> name{};
  std::snprintf(name.data(), name.size(), "rank-%04d.log", rank);
  return name.data();
}

/// The folder on rank 0, with a mark in it by which the other ranks know that they see the same one. Collective.
fs::path shared_folder(const World& world, const fs::path& run_dir) {
  const fs::path folder = run_dir / "logs", mark = folder / ".shared";
  std::string written;
  std::error_code error;
  if (world.rank() == 0) {
    fs::create_directories(folder, error);
    written = world.hostname() + " " + std::to_string(getpid()) + " " + time_text();
    std::ofstream(mark) << written;
  }
  written = world.broadcast(written);
  std::ifstream file(mark);
  std::string found;
  std::getline(file, found);
  const bool seen = world.rank() == 0 || found == written;
  world.barrier();  // every rank has looked
  if (world.rank() == 0) fs::remove(mark, error);
  return seen ? folder : fs::path();
}

}  // namespace

RankLog::RankLog(const World& world, const fs::path& run_dir) {
  const fs::path folder = shared_folder(world, run_dir);
  std::error_code error;
  if (!folder.empty()) {
    path_ = folder / file_name(world.rank());
  } else {
    const fs::path own = fs::temp_directory_path(error) / ("lockstep-" + run_dir.filename().string());
    if (fs::create_directories(own, error)) fs::permissions(own, fs::perms::owner_all, error);
    path_ = own / file_name(world.rank());
  }
  descriptor_ = open(path_.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC | O_NONBLOCK, 0644);  // a FIFO there holds nothing up
  if (descriptor_ < 0) path_.clear();
  const bool in_place = !folder.empty() && descriptor_ >= 0;
  std::map<std::string, std::string> where;
  for (const std::string& entry :
       world.all_gather(in_place ? "" : world.hostname() + "\n" + (path_.empty() ? "" : path_.parent_path().string()))) {
    if (const std::size_t end = entry.find('\n'); end != std::string::npos) where[entry.substr(0, end)] = entry.substr(end + 1);
  }
  for (const auto& [host, directory] : where) {
    elsewhere_ += (elsewhere_.empty() ? "" : "; ") + host +
                  (directory.empty() ? " can write no logs" : " does not share the run directory: its ranks log to " + directory);
  }
}

RankLog::~RankLog() {
  if (descriptor_ >= 0) close(descriptor_);
}

void RankLog::line(const std::string& text) const noexcept try {
  if (descriptor_ < 0) return;
  const std::string whole = time_text() + " " + text + "\n";
  static_cast<void>(!write(descriptor_, whole.data(), whole.size()));
} catch (const std::exception&) {
  // No memory for a line: there is nobody to tell.
}

std::string last_words(const fs::path& log) {
  std::ifstream file(log);
  std::string words;
  for (std::string line; std::getline(file, line);) {
    if (const std::size_t at = line.find("crashed: "); at != std::string::npos) words = line.substr(at);
    if (line.find(" started ") != std::string::npos) words.clear();  // of an earlier life
  }
  return words;
}

}  // namespace lockstep
