#pragma once
#include <condition_variable>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lockstep {

/// For a call that may never return and that no Watchdog sees. When this object still lives after `patience` seconds, `message` is said on
/// stderr; after `end` seconds, if there are to be any, it is said again and the process ends at once with exit code kFailed, upon which
/// the launcher ends the other ranks.
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
