#pragma once
#include <cstdint>
#include <string>

namespace lockstep {

/// The kilobytes behind "NAME:" in a file of /proc ("/proc/meminfo"), in bytes; 0 if there are none.
std::int64_t proc_bytes(const char* file, const std::string& name);

/// Seconds since this process was started, to the kernel's 10 ms.
double process_seconds();

/// Bytes of memory that this process has held at its peak (VmHWM). Memory shared with other processes counts in full in each that has used
/// it.
std::int64_t peak_memory();

/// Bytes of memory that this process holds now; of what n processes share a n-th (PSS). 0 where the kernel does not tell.
std::int64_t proportional_memory();

}  // namespace lockstep
