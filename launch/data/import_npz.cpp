// lockstep data import npz|npy: arrays of NumPy as data files.
#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <memory>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/files/file_bytes.h"
#include "io/import/npz.h"
#include "launch/command_line.h"
#include "launch/data/commands.h"
#include "launch/data/report.h"

namespace lockstep {
namespace {

struct Options {
  std::vector<std::string> files;
  std::string in, out;
  std::vector<std::string> arrays, splits, class_names;
  std::int64_t first_label = 0;
  bool force = false;
};

void write(const std::string& out, const std::vector<NpySplit>& splits, const Options& options) {
  DataFileWriter writer(out, options.force);
  write_npy(writer.file(), splits, options.class_names, options.first_label);
  writer.commit();
  report_data_file(out);
}

void add_common(Command& command, Options& options) {
  command.option("--class-names", options.class_names, "Names of class 0, 1, ..., comma-separated").delimiter(',').one_word();
  command.option("--first-label", options.first_label, "The label of the first class, 1 where classes are counted from 1")
      .show_default()
      .at_least(0);
  command.flag("--force", options.force, "Replace an existing file");
}

std::vector<NpySplit> read_pairs(const Options& options) {
  if (options.files.size() < 3 || options.files.size() % 2 == 0)
    throw Error("expected X.npy Y.npy [X.npy Y.npy ...] OUT.h5: pairs of files, then the file to write", kUsage);
  const std::size_t pairs = options.files.size() / 2;
  std::vector<std::string> names = options.splits;
  if (names.empty() && pairs <= 2) names = {"train", "test"};
  if (names.size() < pairs || (!options.splits.empty() && names.size() > pairs))
    throw Error(fmt::format("{} pairs of files, but {} names in --splits", pairs, options.splits.size()), kUsage);
  std::vector<NpySplit> splits;
  for (std::size_t i = 0; i < pairs; ++i) {
    const std::string &x = options.files[2 * i], &y = options.files[2 * i + 1];
    splits.push_back({names[i], parse_npy(read_file_maybe_gzip(x), x), parse_npy(read_file_maybe_gzip(y), y), x, y});
  }
  return splits;
}

}  // namespace

void add_import_npz(Command& import) {
  auto options = std::make_shared<Options>();
  Command command = import.add_command("npz", "An archive of NumPy's arrays, compressed or not");
  command.option("FILE", options->in, "As np.savez or np.savez_compressed write it").required();
  command.option("OUT", options->out, "HDF5 file to write").required();
  command
      .option("--arrays", options->arrays,
              "SPLIT=FEATURES,TARGETS or SPLIT=FEATURES: names of the arrays of a split; may be given several times (default: those that "
              "are there of "
              "x_train,y_train, x_valid or x_val, x_test, or x,y)")
      .one_word();
  add_common(command, *options);
  command.footer(
      "Targets that are strings become classes. Arrays of Python objects are refused.\n\n"
      "Examples:\n  lockstep data import npz mnist.npz data/mnist.h5\n"
      "  lockstep data import npz digits.npz --arrays train=images,labels data/digits.h5");
  command.callback([options] {
    const NpzContent content = read_npz(read_file(options->in), options->in, options->arrays);
    for (const NpySplit& split : content.splits) {
      if (split.truth_name.empty()) fmt::print("{}: no targets go with it: /{} has only x\n", split.features_name, split.split);
    }
    if (!content.unused.empty()) fmt::print("{}: not read: {}\n", options->in, fmt::join(content.unused, ", "));
    write(options->out, content.splits, *options);
  });
}

void add_import_npy(Command& import) {
  auto options = std::make_shared<Options>();
  Command command = import.add_command("npy", "Single arrays of NumPy");
  command.option("FILES", options->files, "X.npy Y.npy [X.npy Y.npy ...] OUT.h5").required();
  command.option("--splits", options->splits, "Names of the pairs, comma-separated (default: train,test)").delimiter(',').one_word();
  add_common(command, *options);
  command.footer(
      "Targets that are strings become classes. Arrays of Python objects are refused.\n\n"
      "Example:\n  lockstep data import npy x_train.npy y_train.npy x_test.npy y_test.npy data/mnist.h5");
  command.callback([options] {
    const std::vector<NpySplit> splits = read_pairs(*options);
    write(options->files.back(), splits, *options);
  });
}

}  // namespace lockstep
