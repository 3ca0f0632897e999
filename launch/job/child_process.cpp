#include "launch/job/child_process.h"

#include <fcntl.h>
#include <poll.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>

#include "cluster/error.h"
#include "launch/job/mpirun_files.h"

namespace lockstep {

namespace {

[[noreturn]] void fail(const std::string& program) { throw Error("cannot start " + program + ": " + std::strerror(errno)); }

/// In the child: signals as a program expects them.
void default_signals() {
  std::signal(SIGPIPE, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
}

}  // namespace

ChildProcess::ChildProcess(const std::vector<std::string>& words, Output output) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));  // execvp's signature is older than const
  arguments.push_back(nullptr);
  std::array<int, 2> out{-1, -1}, errors{-1, -1};
  const bool relays = output == Output::relayed;
  if (relays && (pipe2(out.data(), O_CLOEXEC) != 0 || pipe2(errors.data(), O_CLOEXEC) != 0)) fail(words.at(0));
  outputs_ = {out[0], errors[0]};
  if (relays) relay_ = std::thread([this] { relay(); });  // first: if it cannot start, nothing runs
  const pid_t parent = getpid();
  pid_ = fork();
  if (pid_ != 0) {
    const int reason = errno;
    for (const int theirs : {out[1], errors[1]}) close(theirs);
    if (pid_ > 0) return;
    end_relay();
    errno = reason;
    fail(words.at(0));
  }
  setpgid(0, 0);
  default_signals();
  if (relays) {
    dup2(out[1], STDOUT_FILENO);
    dup2(errors[1], STDERR_FILENO);
    prctl(PR_SET_PDEATHSIG, SIGUSR1);
    if (getppid() != parent) _exit(kFailed);
  } else {
    const int nowhere = open("/dev/null", O_RDWR);
    for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(nowhere, descriptor);
  }
  execvp(arguments[0], arguments.data());
  const std::string text = "lockstep launch: cannot run " + words[0] + ": " + std::strerror(errno) + "\n";
  static_cast<void>(!write(STDERR_FILENO, text.data(), text.size()));
  _exit(kUsage);
}

ChildProcess::~ChildProcess() {
  if (!exit_code()) {
    kill(-pid_, SIGKILL);
    waitpid(pid_, nullptr, 0);
    killed_ = true;
  }
  end_relay();
  if (killed_) remove_mpirun_files(pid_);
}

void ChildProcess::end_relay() {
  ended_ = true;
  if (relay_.joinable()) relay_.join();
  for (const int descriptor : outputs_) close(descriptor);
}

/// Until both are closed; or until nothing is left after the child's end, since what it has started may keep them open.
void ChildProcess::relay() {
  std::array<pollfd, 2> ends{pollfd{outputs_[0], POLLIN, 0}, pollfd{outputs_[1], POLLIN, 0}};
  std::vector<char> text(64 << 10);
  while (ends[0].fd >= 0 || ends[1].fd >= 0) {
    const bool last = ended_;
    const int ready = poll(ends.data(), ends.size(), last ? 0 : 100);
    if (ready == 0 && last) return;
    if (ready <= 0) continue;
    for (std::size_t i = 0; i < ends.size(); ++i) {
      if (ends[i].fd < 0 || ends[i].revents == 0) continue;
      const ssize_t count = read(ends[i].fd, text.data(), text.size());
      if (count <= 0) {
        ends[i].fd = -1;
        continue;
      }
      std::FILE* const to = i == 0 ? stdout : stderr;
      std::fwrite(text.data(), 1, static_cast<std::size_t>(count), to);
      std::fflush(to);
    }
  }
}

std::optional<int> ChildProcess::exit_code() {
  int status = 0;
  if (!code_ && waitpid(pid_, &status, WNOHANG) == pid_) {
    killed_ = WIFSIGNALED(status);
    code_ = killed_ ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
  }
  return code_;
}

void ChildProcess::signal(int number) const {
  if (!code_) kill(pid_, number);
}

}  // namespace lockstep
