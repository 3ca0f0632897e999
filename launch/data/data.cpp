// lockstep data: makes, imports, fetches and shows data files.
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

}  // namespace lockstep
