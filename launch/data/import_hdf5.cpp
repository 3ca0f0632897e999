// lockstep data import hdf5: HDF5 files of other programs as data files.
#include <memory>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/import/hdf5.h"
#include "launch/command_line.h"
#include "launch/data/commands.h"
#include "launch/data/report.h"

namespace lockstep {
namespace {

struct Options {
  std::string in, out, group, split;
  std::vector<std::string> features;
  Hdf5Options data;
  std::uint64_t seed = 42;
  bool force = false;
};

void import(Options& options) {
  if (options.features.size() == 1) options.data.features = options.features.front();
  if (options.features.size() > 1) options.data.variables = options.features;
  const Hdf5Dataset data(options.in, options.group, options.data);
  DataFileWriter writer(options.out, options.force);
  import_hdf5(writer.file(), data, options.split, options.seed);
  writer.commit();
  report_data_file(options.out);
}

}  // namespace

void add_import_hdf5(Command& import_command) {
  auto options = std::make_shared<Options>();
  Command command =
      import_command.add_command("hdf5", "HDF5 of MATLAB 7.3, Julia, pandas (to_hdf) and netCDF-4, in the form of a data file");
  command.option("FILE", options->in, "HDF5 file, or a pattern of several").required();
  command.option("OUT", options->out, "HDF5 file to write").required();
  command.option("--group", options->group, "Group, or frame of pandas, of the data sets (default: the root)").one_word();
  command.option("--features", options->features, "Data sets or columns, comma-separated, whose columns are the features (default: x)")
      .delimiter(',')
      .one_word();
  command.option("--target", options->data.truth, "Data set or column of labels or targets").show_default().one_word();
  command.flag("--transpose", options->data.transpose, "The last axis counts rows and axes are in reverse, as MATLAB and Julia write them");
  command.option("--first-label", options->data.first_label, "The label of the first class, 1 where classes are counted from 1")
      .show_default()
      .at_least(0);
  command.option("--split", options->split, "Shuffle the rows and deal them out (default: all to train, in order)").one_word();
  command.option("--seed", options->seed, "Of the shuffling").show_default().at_least(0);
  command.flag("--force", options->force, "Replace an existing file");
  command.footer(
      "A training reads such files without this: data.transpose, data.first_label and lists in data.train.features do the same.\n\n"
      "Examples:\n  lockstep data import hdf5 digits.mat --features X --target y --transpose --first-label 1 data/digits.h5\n"
      "  lockstep data import hdf5 weather.nc --features temperature,wind --target rain --split train=0.8,test=0.2 data/rain.h5");
  command.callback([options] { import(*options); });
}

}  // namespace lockstep
