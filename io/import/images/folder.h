#pragma once
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include "io/files/work_progress.h"
#include "io/hdf5/file.h"

namespace lockstep {

struct ImageFolderOptions {
  std::int64_t height = 0, width = 0;  ///< 0: that of the first picture, which all others must have
  std::optional<bool> colour = {};     ///< nothing: that of the first picture, which all others must have
  std::string split = {};              ///< as parse_split takes it, for a folder without splits; empty: all rows to train
  std::uint64_t seed = 42;             ///< of the order of the rows
};

/// Pictures of a folder by class.
struct ImageFolder {
  struct File {
    std::filesystem::path path;
    std::int64_t label = 0;
  };
  struct Part {
    std::string split;
    std::vector<File> files;  ///< sorted by path
  };
  std::vector<std::string> classes;  ///< names of sub-folders, sorted
  std::vector<Part> parts;
  std::vector<std::filesystem::path> others;  ///< files that are no pictures by their name
};

/// DIR/CLASS/FILES, or DIR/train/CLASS/FILES beside test, valid (or val, validation). Files are those that end in .png, .jpg or .jpeg, at
/// any depth below a class. Names that begin with a point are left out.
ImageFolder find_images(const std::filesystem::path& folder);

/// Writes /SPLIT/x (uint8: rows, height, width, and 3 of colour pictures) and /SPLIT/y, rows in random order, and class_names. All
/// threads of this process decode.
void import_images(Hdf5File& file, const ImageFolder& folder, const ImageFolderOptions& options, const WorkProgress& progress = {});

/// "28x28": height and width; a usage error otherwise.
void parse_size(const std::string& text, ImageFolderOptions& options);

}  // namespace lockstep
