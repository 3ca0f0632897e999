#pragma once
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lockstep {

/// For a call that may never return and that no Watchdog sees. Prints `message` on stderr if this object still lives after `patience`
/// seconds. If `end` is set, prints it again after that many seconds and exits with kFailed; the launcher then ends the other ranks.
class Deadline {
 public:
  Deadline(double patience, std::optional<double> end, std::string message);
  ~Deadline();
  Deadline(const Deadline&) = delete;
  Deadline& operator=(const Deadline&) = delete;

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  bool met_ = false;
  std::thread thread_;
};

}  // namespace lockstep
