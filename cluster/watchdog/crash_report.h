#pragma once
#include <atomic>
#include <cstdint>
#include <string>
#include <string_view>

namespace lockstep {

class Activity;
class RankLog;

/// Names what this thread reads while it lives. A library may not survive a damaged file. If it crashes meanwhile, and report_crashes() was
/// called, the process ends with one message and exit code 1:
///
///     data.h5: crashed (SIGSEGV) while reading attribute 'class_names' of '/': the file is most likely damaged; copy it again or ...
///
/// Nothing is copied: the texts outlive the object. No allocation, no system call. The innermost object of a thread counts.
class Reading {
 public:
  /// `kind` 'name' of 'owner'; what is empty is left out.
  explicit Reading(std::string_view file, std::string_view kind = "the file", std::string_view name = {},
                   std::string_view owner = {}) noexcept;
  ~Reading();
  Reading(const Reading&) = delete;
  Reading& operator=(const Reading&) = delete;

 private:
  friend class CrashLine;
  const std::string_view file_, kind_, name_, owner_;
  const Reading* const outer_;
};

/// From now on this process reports crashes as Reading says. `speaker` begins the message: "lockstep: ", "[rank 0 on h1] ". A second call
/// replaces the speaker. Call it on the main thread.
///
/// Ranks crash on the same file at the same time, and a signal handler cannot make them agree on who reports it. So a rank above 0 waits
/// for three seconds: if rank 0 has crashed, too, the launcher ends the job before that.
void report_crashes(const std::string& speaker, int rank = 0);

/// `mark` is set to 1 when a crash has been reported, so that the watchdogs of the other ranks stay silent; null: none. Ignored unless
/// mpirun has started this process: mpirun ends a job when a rank fails, other launchers need the watchdog for that.
void mark_told_crash(std::atomic<std::uint32_t>* mark);

/// While it lives, a crash (SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT) puts a line with signal, place and step into the log before it takes
/// its course. One object at a time in a process.
class CrashReport {
 public:
  CrashReport(const RankLog& log, const Activity& activity);
  ~CrashReport();
  CrashReport(const CrashReport&) = delete;
  CrashReport& operator=(const CrashReport&) = delete;
};

}  // namespace lockstep
