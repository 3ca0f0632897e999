// lockstep data import: other people's files as data files; idx here, the other formats beside it.
#include <fmt/format.h>

#include <memory>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/import/garments.h"
#include "io/import/idx.h"
#include "launch/command_line.h"
#include "launch/data/commands.h"
#include "launch/data/report.h"

namespace lockstep {
namespace {

struct IdxOptions {
  std::vector<std::string> files;  // IMAGES LABELS ... OUT
  std::vector<std::string> splits;
  std::vector<std::string> class_names;
  std::int64_t first_label = 0;
  bool force = false;
};

std::vector<IdxPair> idx_pairs(const IdxOptions& options) {
  if (options.files.size() < 3 || options.files.size() % 2 == 0) {
    throw Error("expected IMAGES LABELS [IMAGES LABELS ...] OUT.h5: pairs of files, then the file to write", kUsage);
  }
  std::vector<std::string> splits = options.splits;
  const std::size_t pairs = options.files.size() / 2;
  if (splits.empty() && pairs <= 2) splits = {"train", "test"};
  if (splits.size() < pairs || (!options.splits.empty() && splits.size() > pairs)) {
    throw Error(fmt::format("{} pairs of files, but {} names in --splits", pairs, options.splits.size()), kUsage);
  }
  std::vector<IdxPair> result;
  for (std::size_t i = 0; i < pairs; ++i) result.push_back({splits[i], options.files[2 * i], options.files[2 * i + 1]});
  return result;
}

void add_idx(Command& import) {
  auto options = std::make_shared<IdxOptions>();
  Command command = import.add_command("idx", "Images and labels in the format of MNIST, gzipped or not");
  command.option("FILES", options->files, "IMAGES LABELS [IMAGES LABELS ...] OUT.h5").required();
  command.option("--splits", options->splits, "Names of the pairs, comma-separated (default: train,test)").delimiter(',').one_word();
  command.option("--class-names", options->class_names, "Names of class 0, 1, ..., comma-separated, or: fashion_mnist")
      .delimiter(',')
      .one_word();
  command.option("--first-label", options->first_label, "The label of the first class, 1 for EMNIST's letters").show_default().at_least(0);
  command.flag("--force", options->force, "Replace an existing file");
  command.footer(
      "Example:\n  lockstep data import idx train-images-idx3-ubyte.gz train-labels-idx1-ubyte.gz \\\n"
      "    t10k-images-idx3-ubyte.gz t10k-labels-idx1-ubyte.gz data/mnist.h5");
  command.callback([options] {
    const std::vector<IdxPair> pairs = idx_pairs(*options);
    if (options->class_names == std::vector<std::string>{"fashion_mnist"}) options->class_names = fashion_mnist_class_names();
    DataFileWriter writer(options->files.back(), options->force);
    import_idx(writer.file(), pairs, options->class_names, options->first_label);
    writer.commit();
    report_data_file(options->files.back());
  });
}

}  // namespace

void add_data_import(Command& data) {
  Command import = data.add_command("import", "Turn files of other formats into a data file");
  import.require_command();
  add_idx(import);
  add_import_csv(import);
  add_import_npz(import);
  add_import_npy(import);
  add_import_images(import);
  add_import_hdf5(import);
}

}  // namespace lockstep
