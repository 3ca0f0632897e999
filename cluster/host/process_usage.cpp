#include "cluster/host/process_usage.h"

#include <time.h>
#include <unistd.h>

#include <fstream>
#include <iterator>
#include <sstream>
#include <string>

namespace lockstep {

std::int64_t proc_bytes(const char* file, const std::string& name) {
  std::ifstream stream(file);
  for (std::string line; std::getline(stream, line);) {
    if (line.rfind(name + ":", 0) == 0) return std::stoll(line.substr(name.size() + 1)) * 1024;
  }
  return 0;
}

double process_seconds() {
  std::ifstream stream("/proc/self/stat");
  const std::string text{std::istreambuf_iterator<char>(stream), {}};
  const std::size_t name_end = text.rfind(')');  // the program's name may hold anything
  if (name_end == std::string::npos) return 0;
  std::istringstream fields(text.substr(name_end + 1));
  constexpr int kBefore = 19;  // fields between the name and the start time; proc(5)
  std::string field;
  for (int i = 0; i < kBefore; ++i) fields >> field;
  double start = 0;
  fields >> start;
  timespec now{};
  clock_gettime(CLOCK_BOOTTIME, &now);
  return static_cast<double>(now.tv_sec) + static_cast<double>(now.tv_nsec) * 1e-9 - start / static_cast<double>(sysconf(_SC_CLK_TCK));
}

std::int64_t peak_memory() { return proc_bytes("/proc/self/status", "VmHWM"); }
std::int64_t proportional_memory() { return proc_bytes("/proc/self/smaps_rollup", "Pss"); }

}  // namespace lockstep
