// lockstep data: makes, imports, fetches and shows data files.
#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

#include "io/hdf5/file.h"
#include "launch/command_line.h"
#include "launch/commands.h"
#include "launch/data/commands.h"

namespace lockstep {

void add_data(Command& app) {
  Command data = app.add_command("data", "Make, import, fetch and show data files (HDF5)");
  data.require_command();
  data.footer(
      "A data file is HDF5 with a group per split: /train/x, /train/y, /test/x, ...; first axis = rows; the root attributes\n"
      "class_names and feature_names name classes and columns.\n\n"
      "Examples:\n"
      "  lockstep data make garments data/garments.h5\n"
      "  lockstep data import csv houses.csv --target price --split train=0.8,test=0.2 data/houses.h5\n"
      "  lockstep data show data/garments.h5 --rows 10");
  add_data_make(data);
  add_data_import(data);
  add_data_fetch(data);
  add_data_show(data);
}

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
