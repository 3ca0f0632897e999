// lockstep data fetch: the official files of two well-known data sets, checked.
#include <memory>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/import/official_data.h"
#include "launch/command_line.h"
#include "launch/data/commands.h"
#include "launch/data/report.h"

namespace lockstep {
namespace {

struct FetchOptions {
  std::string name, out, from;
  std::uint64_t seed = 42;
  bool force = false;
};

void fetch(const FetchOptions& options) {
  DataFileWriter writer(options.out, options.force);
  if (options.name == "fashion_mnist") {
    fetch_fashion_mnist(writer.file(), options.from, progress_line);
  } else {
    fetch_california_housing(writer.file(), options.from, options.seed, progress_line);
  }
  writer.commit();
  report_data_file(options.out);
}

}  // namespace

void add_data_fetch(Command& data) {
  auto options = std::make_shared<FetchOptions>();
  Command command = data.add_command("fetch", "Download a well-known data set, check it, make it a data file");
  command.option("NAME", options->name, "Which data set").required().one_of({"fashion_mnist", "california_housing"});
  command.option("OUT", options->out, "HDF5 file to write").required();
  command.option("--from", options->from, "Folder or base URL with the official files (default: the official address)");
  command.option("--seed", options->seed, "Of the split of california_housing into 11,610/3,870/5,160 rows").show_default().at_least(0);
  command.flag("--force", options->force, "Replace an existing file");
  command.footer(
      "Files: fashion_mnist: train-images-idx3-ubyte.gz, train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz,\n"
      "t10k-labels-idx1-ubyte.gz; california_housing: cal_housing.tgz, cal_housing.data or california_housing.csv. Their checksums\n"
      "are built in; a file that differs is refused. A proxy is taken from http_proxy and https_proxy.\n\n"
      "Examples:\n"
      "  lockstep data fetch fashion_mnist data/fashion_mnist.h5\n"
      "  lockstep data fetch california_housing data/california_housing.h5 --from ~/Downloads");
  command.callback([options] { fetch(*options); });
}

}  // namespace lockstep
