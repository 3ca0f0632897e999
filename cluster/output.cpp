#include "cluster/output.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <chrono>
#include <condition_variable>
#include <csignal>
#include <cstdlib>
#include <deque>
#include <mutex>
#include <string>
#include <system_error>
#include <thread>

namespace lockstep {
namespace {

using Clock = std::chrono::steady_clock;
using std::chrono::milliseconds;

constexpr milliseconds kOrder{200};      // a message on stderr waits for stdout
constexpr milliseconds kMessage{2000};   // and then until it has left
constexpr milliseconds kEnd{5000};       // the end of the process waits for a reader
constexpr std::size_t kMost = 64 << 10;  // bytes in a queue
constexpr std::size_t kPiece = 4096;     // bytes of a write(2): a reader who takes so many is still there

/// The queue of one descriptor. Its thread is never joined, since it may hang in write(2) until the process ends; so the queue stays, too.
class Stream {
 public:
  Stream(int descriptor, cookie_write_function_t* write) : descriptor_(descriptor) {
    file_ = fopencookie(this, "w", {.read = nullptr, .write = write, .seek = nullptr, .close = nullptr});
    if (file_ == nullptr) throw std::bad_alloc();
    std::setvbuf(file_, buffer_.data(), _IOLBF, buffer_.size());  // a line is whole in the queue
  }

  /// What is printed here is put into the queue. Never closed: some thread may still print.
  std::FILE* file() const { return file_; }

  void put(const char* text, std::size_t length) {
    const std::lock_guard lock(mutex_);
    if (queue_.empty() && !writing_) moved_ = Clock::now();
    queue_.emplace_back(text, length);
    bytes_ += length;
    while (bytes_ > kMost && queue_.size() > 1) drop();
    if (!runs_) start();
    changed_.notify_all();
  }

  /// Waits until all is written; false if the reader has taken nothing for `patience`, counted from `from` at the earliest.
  bool drain(milliseconds patience, Clock::time_point from = {}) {
    std::unique_lock lock(mutex_);
    while (writing_ || !queue_.empty()) {
      const Clock::time_point end = std::max(moved_, from) + patience;
      if (Clock::now() >= end) return false;
      changed_.wait_until(lock, end);
    }
    return true;
  }

 private:
  void drop() {
    dropped_ += std::count(queue_.front().begin(), queue_.front().end(), '\n');
    bytes_ -= queue_.front().size();
    queue_.pop_front();
  }

  void start() {
    try {
      std::thread([this] { run(); }).detach();
      runs_ = true;
    } catch (const std::system_error&) {  // no more processes for this user: the caller writes and waits
      for (const std::string& text : queue_) write_all(text, [] {});
      queue_.clear();
      bytes_ = 0;
    }
  }

  void run() {
    std::unique_lock lock(mutex_);
    for (;;) {
      changed_.wait(lock, [this] { return !queue_.empty(); });
      std::string text = std::move(queue_.front());
      bytes_ -= text.size();
      queue_.pop_front();
      if (dropped_ > 0) {
        const std::string missing =
            fmt::format("[{} line{} dropped: the terminal or pipe was not being read]\n", dropped_, dropped_ == 1 ? "" : "s");
        text = (in_line_ ? "\n" : "") + missing + text;
      }
      dropped_ = 0;
      in_line_ = text.back() != '\n';
      writing_ = true;
      moved_ = Clock::now();
      lock.unlock();
      write_all(text, [this] {
        const std::lock_guard moved(mutex_);
        moved_ = Clock::now();
        changed_.notify_all();
      });
      lock.lock();
      writing_ = false;
      changed_.notify_all();
    }
  }

  /// What cannot be written is left out: nobody reads it, or the disk is full, which may pass.
  template <class Moved>
  void write_all(const std::string& text, const Moved& moved) const {
    for (std::size_t done = 0; done < text.size();) {
      const ssize_t count = ::write(descriptor_, text.data() + done, std::min(text.size() - done, kPiece));
      if (count < 0 && errno == EINTR) continue;
      if (count < 0 && errno == EAGAIN) {  // another program has made this terminal non-blocking, for all
        pollfd writable{descriptor_, POLLOUT, 0};
        poll(&writable, 1, -1);
        continue;
      }
      if (count <= 0) return;
      done += static_cast<std::size_t>(count);
      moved();
    }
  }

  const int descriptor_;
  std::FILE* file_;
  std::array<char, 16 << 10> buffer_{};  // of file_
  std::mutex mutex_;                     // all below
  std::condition_variable changed_;
  std::deque<std::string> queue_;
  std::size_t bytes_ = 0;
  std::ptrdiff_t dropped_ = 0;  // lines, since the last text that was written
  Clock::time_point moved_;     // when the reader took something for the last time, or the writer began to wait for it
  bool runs_ = false, writing_ = false, in_line_ = false;
};

ssize_t write_out(void* stream, const char* text, std::size_t length) {
  static_cast<Stream*>(stream)->put(text, length);
  return static_cast<ssize_t>(length);
}

Stream& out() {
  static Stream* const stream = new Stream(STDOUT_FILENO, write_out);
  return *stream;
}

ssize_t write_error(void* stream, const char* text, std::size_t length) {
  Stream& errors = *static_cast<Stream*>(stream);
  out().drain(kOrder);
  errors.put(text, length);
  errors.drain(kMessage);
  return static_cast<ssize_t>(length);
}

Stream& errors() {
  static Stream* const stream = new Stream(STDERR_FILENO, write_error);
  return *stream;
}

}  // namespace

Output::Output() : former_out_(stdout), former_errors_(stderr) {
  std::signal(SIGPIPE, SIG_IGN);
  std::fflush(stdout);
  setenv("OPAL_OUTPUT_STDERR_FD", "2", 0);  // Open MPI writes its warnings to fileno(stderr), and a queue has no descriptor
  stdout = out().file();
  stderr = errors().file();
}

Output::~Output() {
  std::fflush(stdout);
  std::fflush(stderr);
  stdout = former_out_;
  stderr = former_errors_;
  const Clock::time_point now = Clock::now();
  errors().drain(kEnd, now);
  out().drain(kEnd, now);
}

void occupy_standard_descriptors() noexcept {
  for (const int descriptor : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) {
    const int useless = descriptor == STDIN_FILENO ? O_WRONLY : O_RDONLY;
    if (fcntl(descriptor, F_GETFD) < 0 && errno == EBADF) open("/dev/null", useless);  // takes the lowest number
  }
}

}  // namespace lockstep
