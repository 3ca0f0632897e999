#include "cluster/process_state.h"

#include <poll.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <fstream>

namespace lockstep {
namespace {

std::optional<std::int64_t> count_in(const std::string& path) {
  std::ifstream file(path);
  std::string key;
  for (std::int64_t value = 0; file >> key >> value;) {
    if (key == "oom_kill") return value;
  }
  return std::nullopt;
}

}  // namespace

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
  std::ifstream file("/proc/self/cgroup");
  for (std::string line; std::getline(file, line);) {  // "0::/path" (v2), "4:memory:/path" (v1)
    const std::size_t first = line.find(':'), second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1), path = line.substr(second + 1);
    const bool unified = controllers.empty();
    if (!unified && ("," + controllers + ",").find(",memory,") == std::string::npos) continue;
    const std::string root = unified ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory", name = unified ? "/memory.events" : "/memory.oom_control";
    // Inside a container the path is that of the host: the container's own group is then the root.
    if (const auto count = count_in(root + path + name)) return count;
    if (const auto count = count_in(root + name)) return count;
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
