// lockstep data import images: folders of pictures as data files.
#include <fmt/format.h>

#include <memory>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/data/name_list.h"
#include "io/import/images/folder.h"
#include "launch/command_line.h"
#include "launch/data/commands.h"
#include "launch/data/report.h"

namespace lockstep {
namespace {

struct Options {
  std::string folder, out, size;
  ImageFolderOptions images;
  bool grey = false, colour = false, force = false;
};

void import(Options& options) {
  if (options.grey && options.colour) throw Error("--grey and --color exclude each other", kUsage);
  if (options.grey || options.colour) options.images.colour = options.colour;
  if (!options.size.empty()) parse_size(options.size, options.images);
  DataFileWriter writer(options.out, options.force);
  const ImageFolder folder = find_images(options.folder);
  fmt::print("{} classes: {}\n", folder.classes.size(), name_list(folder.classes));
  if (!folder.others.empty()) {
    fmt::print("left out: {} files that do not end in .png, .jpg or .jpeg, such as {}\n", folder.others.size(),
               folder.others.front().string());
  }
  import_images(writer.file(), folder, options.images, progress_line("reading pictures"));
  writer.commit();
  report_data_file(options.out);
}

}  // namespace

void add_import_images(Command& import_command) {
  auto options = std::make_shared<Options>();
  Command command = import_command.add_command("images", "Folders of PNG and JPEG pictures, one for each class");
  command.option("DIR", options->folder, "With a sub-folder for each class, or with train, test and valid that have these").required();
  command.option("OUT", options->out, "HDF5 file to write").required();
  command.option("--size", options->size, "HEIGHTxWIDTH of all pictures (default: all must have one size)").one_word();
  command.flag("--grey", options->grey, "Make all pictures grey (default: as the first one is)");
  command.flag("--color", options->colour, "Make all pictures red, green and blue");
  command.option("--split", options->images.split, "Deal the rows out, for example train=0.8,test=0.2 (default: all to train)").one_word();
  command.option("--seed", options->images.seed, "Of the rows' random order").show_default().at_least(0);
  command.flag("--force", options->force, "Replace an existing file");
  command.footer(
      "Classes are the sorted names of the sub-folders. Writes /train/x (uint8: rows, height, width, and 3 for colour) and /train/y.\n"
      "Another size is reached by bilinear means over all pixels below the new one, as Pillow's BILINEAR. Transparency is dropped.\n\n"
      "Examples:\n  lockstep data import images photos data/photos.h5 --size 64x64 --color --split train=0.8,test=0.2\n"
      "  lockstep data import images mnist_png data/mnist.h5 --grey");
  command.callback([options] { import(*options); });
}

}  // namespace lockstep
