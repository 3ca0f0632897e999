#include "launch/child_process.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstring>

#include "cluster/error.h"
#include "launch/left_overs.h"

namespace lockstep {

ChildProcess::ChildProcess(const std::vector<std::string>& words, bool quiet) {
  std::vector<char*> arguments;
  for (const std::string& word : words) arguments.push_back(const_cast<char*>(word.c_str()));  // execvp's signature is older than const
  arguments.push_back(nullptr);
  pid_ = fork();
  if (pid_ < 0) throw Error("cannot start " + words.at(0) + ": " + std::strerror(errno));
  if (pid_ != 0) return;
  setpgid(0, 0);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, nullptr);
  if (quiet) {
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
  if (killed_) clear_left_overs(pid_);
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
