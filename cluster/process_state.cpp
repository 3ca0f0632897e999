#include "cluster/process_state.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>

#include "cluster/cgroup.h"

namespace lockstep {
char process_state(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  std::string line;
  if (!std::getline(file, line)) return kill(static_cast<pid_t>(pid), 0) != 0 && errno == ESRCH ? 'X' : '?';
  const std::size_t end = line.rfind(')');  // of the name, which may hold anything
  return end != std::string::npos && end + 2 < line.size() ? line[end + 2] : '?';
}

std::string process_name(std::int64_t pid) {
  std::ifstream file("/proc/" + std::to_string(pid) + "/comm");
  std::string name;
  std::getline(file, name);
  return name;
}

std::optional<std::int64_t> out_of_memory_kills() {
  for (const std::filesystem::path& folder : cgroup_folders("memory")) {
    for (const char* file : {"memory.events", "memory.oom_control"}) {
      if (const auto kills = cgroup_value(folder / file, "oom_kill")) return static_cast<std::int64_t>(*kills);
    }
  }
  return std::nullopt;
}

ProcessHandle::ProcessHandle(std::int64_t pid)
    : pid_(pid), descriptor_(static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(pid), 0U))) {}

ProcessHandle::~ProcessHandle() {
  if (descriptor_ >= 0) close(descriptor_);
}

ProcessHandle::ProcessHandle(ProcessHandle&& other) noexcept : pid_(other.pid_), descriptor_(other.descriptor_) { other.descriptor_ = -1; }

bool ProcessHandle::ended() const {
  if (descriptor_ < 0) {
    const char state = process_state(pid_);
    return state == 'X' || state == 'Z';
  }
  pollfd ended{descriptor_, POLLIN, 0};
  return poll(&ended, 1, 0) == 1;
}

void ProcessHandle::signal(int number) const noexcept {
  if (descriptor_ >= 0) {
    syscall(SYS_pidfd_send_signal, descriptor_, number, nullptr, 0U);
  } else {
    kill(static_cast<pid_t>(pid_), number);
  }
}

}  // namespace lockstep
