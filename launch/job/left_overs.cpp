#include "launch/job/left_overs.h"

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
  for (const char* name : {"OMPI_MCA_orte_tmpdir_base", "TMPDIR", "TEMP", "TMP"}) {
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

/// Segments are called vader_segment.HOST.UID.JOB.RANK, and osc_sm.HOST.JOB... while ranks create a window. All jobs of one mpirun have the
/// upper half of JOB in common.
void remove_shared_memory(std::uint32_t mpirun, const std::string& host) {
  std::error_code none;
  for (const std::string& start : {fmt::format("vader_segment.{}.{}.", host, geteuid()), fmt::format("sm_segment.{}.{}.", host, geteuid()),
                                   fmt::format("osc_sm.{}.", host)}) {
    std::vector<fs::path> found;
    for (const auto& entry : fs::directory_iterator("/dev/shm", none)) {
      const std::string name = entry.path().filename().string();
      if (!name.starts_with(start) || !is_own(entry.path())) continue;
      if (const auto job = job_number(name.substr(start.size()), 16); job && *job >> 16U == mpirun >> 16U) found.push_back(entry.path());
    }
    for (const fs::path& path : found) fs::remove(path, none);
  }
}

}  // namespace

void clear_left_overs(pid_t pid) {
  std::error_code none;
  const std::string name = World().hostname();
  std::vector<std::string> hosts{name};
  if (const std::size_t dot = name.find('.'); dot != std::string::npos) hosts.push_back(name.substr(0, dot));
  for (const std::string& host : hosts) {
    // Open MPI 4 and 5
    for (const std::string& folder :
         {fmt::format("ompi.{}.{}/pid.{}", host, geteuid(), pid), fmt::format("prte.{}.{}/dvm.{}", host, geteuid(), pid)}) {
      const fs::path session = temporary() / folder;
      if (!is_own(session.parent_path()) || !is_own(session)) continue;
      std::string contact;  // "828047360.0;tcp://..."
      std::getline(std::ifstream(session / "contact.txt"), contact);
      if (const auto job = job_number(contact, 10)) remove_shared_memory(*job, host);
      fs::remove_all(session, none);
    }
  }
}

}  // namespace lockstep
