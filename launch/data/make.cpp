// lockstep data make garments|housing: the data sets that are drawn from code.
#include <memory>

#include "io/data/data_file.h"
#include "io/import/garments.h"
#include "io/import/housing.h"
#include "io/run/table.h"
#include "launch/command_line.h"
#include "launch/data/commands.h"
#include "launch/data/report.h"

namespace lockstep {
namespace {

void add_garments(Command& make) {
  struct Options {
    std::string out;
    GarmentOptions garments;
    bool force = false;
  };
  auto options = std::make_shared<Options>();
  Command command = make.add_command("garments", "Grey 28x28 images of ten kinds of garments, the names those of Fashion-MNIST");
  command.option("OUT", options->out, "HDF5 file to write").required();
  command.option("--seed", options->garments.seed, "The same seed makes the same file on every machine").show_default().at_least(0);
  command.option("--train", options->garments.train, "Training images").show_default().at_least(1);
  command.option("--test", options->garments.test, "Test images").show_default().at_least(1);
  command.flag("--force", options->force, "Replace an existing file");
  command.footer(
      "Writes /train/x, /test/x (uint8: rows, 28, 28), /train/y, /test/y (class index) and class_names.\n"
      "784-300-100-10 with relu reaches about 90 % on the test part after 10 epochs of SGD 0.01 at batch 32, a linear model about 81 %.\n\n"
      "Example:\n  lockstep data make garments data/garments.h5");
  command.callback([options] {
    DataFileWriter writer(options->out, options->force);
    make_garments(writer.file(), options->garments, progress_line("drawing"));
    writer.commit();
    report_data_file(options->out);
  });
}

void add_housing(Command& make) {
  struct Options {
    std::string out;
    std::uint64_t seed = 42;
    std::int64_t rows = 20'640;
    std::string split = "train=0.5625,valid=0.1875,test=0.25";
    bool force = false;
  };
  auto options = std::make_shared<Options>();
  Command command = make.add_command("housing", "A regression table: invented house prices from eight features of very different scales");
  command.option("OUT", options->out, "HDF5 file to write").required();
  command.option("--seed", options->seed, "The same seed makes the same file on every machine").show_default().at_least(0);
  command.option("--rows", options->rows, "Rows in all").show_default().at_least(1);
  command.option("--split", options->split, "Share of each split; the default cuts 20,640 rows into 11,610/3,870/5,160").show_default();
  command.flag("--force", options->force, "Replace an existing file");
  command.footer(
      "Writes x (float32: rows, 8) and y (float32: rows) under /train, /valid and /test.\n\n"
      "Example:\n  lockstep data make housing data/housing.h5 --seed 7");
  command.callback([options] {
    const std::vector<Split> splits = parse_split(options->split, options->rows);
    DataFileWriter writer(options->out, options->force);
    write_table(writer.file(), make_housing(options->rows, options->seed), splits, std::nullopt);  // rows are independent: no shuffling
    writer.commit();
    report_data_file(options->out);
  });
}

}  // namespace

void add_data_make(Command& data) {
  Command make = data.add_command("make", "Draw a data set from code: nothing is downloaded");
  make.require_command();
  add_garments(make);
  add_housing(make);
}

}  // namespace lockstep
