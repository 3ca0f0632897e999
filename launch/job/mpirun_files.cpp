#include "launch/job/mpirun_files.h"

#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include <charconv>
#include <cstdint>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <vector>

#include "cluster/world.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

/// Where Open MPI and PMIx put their files.
fs::path temporary() {
  for (const char* name : {"OMPI_MCA_orte_tmpdir_base", "PRTE_MCA_prte_tmpdir_base", "TMPDIR", "TEMP", "TMP"}) {
    if (const char* const folder = std::getenv(name); folder != nullptr && *folder != '\0') return folder;
  }
  return "/tmp";
}

bool is_own(const fs::path& path) {
  struct stat facts {};
  return lstat(path.c_str(), &facts) == 0 && facts.st_uid == geteuid() && !S_ISLNK(facts.st_mode);
}

std::optional<std::uint32_t> job_number(const std::string& text, int base) {
  std::uint32_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return error == std::errc() && end != text.data() && *end == '.' ? std::optional(number) : std::nullopt;
}

/// Segments are called vader_segment.HOST.UID.JOB.RANK (Open MPI 5: sm_segment). All jobs of one mpirun have the upper half of JOB in
/// common.
void remove_shared_memory(std::uint32_t mpirun, const std::string& host) {
  std::error_code none;
  for (const std::string& start :
       {fmt::format("vader_segment.{}.{}.", host, geteuid()), fmt::format("sm_segment.{}.{}.", host, geteuid())}) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator("/dev/shm", none)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(start) || !is_own(entry.path())) continue;
      if (const auto job = job_number(name.substr(start.size()), 16); job && *job >> 16U == mpirun >> 16U) found.push_back(entry.path());
    }
    for (const fs::path& path : found) fs::remove(path, none);
  }
}

/// A session of mpirun: its folder, and its number in the upper half of its jobs' numbers.
struct MpirunSession {
  fs::path folder;
  std::optional<std::uint32_t> job;
};

MpirunSession session_of_4(const std::string& host, pid_t pid) {
  const fs::path all = temporary() / fmt::format("ompi.{}.{}", host, geteuid());
  if (!is_own(all)) return {};
  MpirunSession session{all / fmt::format("pid.{}", pid), {}};
  std::string contact;  // "828047360.0;tcp://..."
  std::getline(std::ifstream(session.folder / "contact.txt"), contact);
  session.job = job_number(contact, 10);
  return session;
}

/// Open MPI 5 makes the number from its session's name: the one-at-a-time hash by Bob Jenkins, its halves combined.
MpirunSession session_of_5(const std::string& host, pid_t pid) {
  std::uint32_t hash = 0;
  for (const char letter : fmt::format("prterun-{}-{}", host, pid)) {
    hash += static_cast<std::uint32_t>(letter);
    hash += hash << 10U;
    hash ^= hash >> 6U;
  }
  hash += hash << 3U;
  hash ^= hash >> 11U;
  hash += hash << 15U;
  return {temporary() / fmt::format("prterun.{}.{}.{}", host, pid, geteuid()), (hash ^ hash << 16U) & 0xffff0000U};
}

}  // namespace

void remove_mpirun_files(pid_t pid) {
  std::error_code none;
  const std::string name = World().hostname();
  std::vector<std::string> hosts{name};
  if (const std::size_t dot = name.find('.'); dot != std::string::npos) hosts.push_back(name.substr(0, dot));
  for (const std::string& host : hosts) {
    for (const MpirunSession& session : {session_of_4(host, pid), session_of_5(host, pid)}) {
      if (!is_own(session.folder)) continue;
      if (session.job) remove_shared_memory(*session.job, host);
      fs::remove_all(session.folder, none);
    }
  }
}

}  // namespace lockstep
