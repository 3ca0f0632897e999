#include "cluster/host/process_state.h"

#include <poll.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <ios>

#include "cluster/host/cgroup.h"
#include "cluster/network/addresses.h"
#include "cluster/network/mpi_ports.h"

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

std::string connection_waited_for() {
  const std::string thread = std::to_string(getpid());  // the main one
  std::ifstream file("/proc/self/task/" + thread + "/syscall");
  long call = -1, descriptor = -1;  // "45 0x1a ...", or "running"
  if (!(file >> call >> std::hex >> descriptor) || (call != SYS_read && call != SYS_readv && call != SYS_recvfrom && call != SYS_recvmsg)) {
    return "";
  }
  sockaddr_storage here{}, there{};
  socklen_t here_size = sizeof here, there_size = sizeof there;
  const int socket = static_cast<int>(descriptor);
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&here), &here_size) != 0 ||
      getpeername(socket, reinterpret_cast<sockaddr*>(&there), &there_size) != 0) {
    return "";
  }
  const auto [address, port] = numeric_address(there);
  const int own_port = numeric_address(here).second;
  const std::vector<OpenPort> open = open_ports();
  if (address.empty() || std::none_of(open.begin(), open.end(), [&](const OpenPort& one) { return one.port == own_port; })) return "";
  return join_host_port(address, port) + ", which has connected to its port " + std::to_string(own_port);
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
