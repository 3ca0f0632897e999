#include "launch/data/report.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "io/hdf5/file.h"

namespace lockstep {

std::function<void(double)> progress_line(const std::string& label) {
  if (isatty(STDERR_FILENO) == 0) return [](double) {};
  auto shown = std::make_shared<int>(-1);
  return [label, shown](double part) {
    const int percent = static_cast<int>(part * 100);
    if (percent == *shown) return;
    *shown = percent;
    fmt::print(stderr, "\r{} {:3d} %{}", label, percent, percent >= 100 ? "\n" : "");
    std::fflush(stderr);
  };
}

void report_data_file(const std::string& path) {
  const Hdf5File file = Hdf5File::open(path);
  for (const std::string& name : file.datasets()) {
    const ArrayInfo info = file.info(name);
    fmt::print("{}  {} ({})\n", name, type_name(info.type), fmt::join(info.shape, ", "));
  }
  fmt::print("{} is ready; look at it with: lockstep data show {}\n", path, path);
}

}  // namespace lockstep
