#include "io/import/images/folder.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <map>
#include <span>

#include "cluster/error.h"
#include "cluster/host/placement.h"
#include "cluster/world.h"
#include "core/math/thread_team.h"
#include "core/network/memory_need.h"
#include "io/data/data_file.h"
#include "io/files/file_bytes.h"
#include "io/import/images/image.h"
#include "io/run/table.h"

namespace lockstep {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kLargestSide = 1 << 15;  // pixels

/// Folder names of splits.
const std::map<std::string, std::string>& split_names() {
  static const std::map<std::string, std::string> kNames{
      {"train", "train"}, {"test", "test"}, {"valid", "valid"}, {"val", "valid"}, {"validation", "valid"}};
  return kNames;
}

bool hidden(const fs::path& path) { return path.filename().string().starts_with('.'); }

bool has_image_name(const fs::path& path) {
  std::string end = path.extension().string();
  std::transform(end.begin(), end.end(), end.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; });
  return end == ".png" || end == ".jpg" || end == ".jpeg";
}

std::vector<fs::path> sub_folders(const fs::path& folder) {
  std::vector<fs::path> folders;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) {
    if (entry.is_directory() && !hidden(entry.path())) folders.push_back(entry.path());
  }
  std::sort(folders.begin(), folders.end());
  return folders;
}

/// The pictures of a split and their classes by name.
std::map<std::string, std::vector<fs::path>> find_classes(const fs::path& folder, std::vector<fs::path>& others) {
  std::map<std::string, std::vector<fs::path>> classes;
  for (const fs::path& sub : sub_folders(folder)) {
    std::vector<fs::path>& files = classes[sub.filename().string()];
    for (const fs::directory_entry& entry : fs::recursive_directory_iterator(sub, fs::directory_options::follow_directory_symlink)) {
      if (!entry.is_regular_file() || hidden(entry.path())) continue;
      (has_image_name(entry.path()) ? files : others).push_back(entry.path());
    }
    std::sort(files.begin(), files.end());
  }
  return classes;
}

/// What all pictures become.
struct Form {
  std::int64_t height, width;
  bool colour, sized, coloured;  // sized, coloured: as the user asked for; else as the first picture is

  std::int64_t bytes() const { return height * width * (colour ? 3 : 1); }
};

Form form_of(const ImageFolder& folder, const ImageFolderOptions& options) {
  Form form{options.height, options.width, options.colour.value_or(false), options.height > 0, options.colour.has_value()};
  if (form.sized && form.coloured) return form;
  const std::string first = folder.parts.front().files.front().path.string();
  const ImageInfo info = image_info(read_file(first), first);
  if (!form.sized) {
    form.height = info.height;
    form.width = info.width;
  }
  if (!form.coloured) form.colour = info.colour;
  return form;
}

void read_image(const fs::path& path, const Form& form, const std::string& first, std::span<std::uint8_t> out) {
  const std::string name = path.string(), bytes = read_file(name);
  if (!form.coloured && !form.colour && image_info(bytes, name).colour)
    throw Error(fmt::format("{}: a colour picture, but {} is grey; --color makes all colour, --grey all grey", name, first), kUsage);
  const Image image = decode_image(bytes, form.colour, name);
  if (!form.sized && (image.height != form.height || image.width != form.width)) {
    throw Error(fmt::format("{}: {} x {} pixels (height x width), but {} has {} x {}; --size {}x{} makes all of one size", name,
                            image.height, image.width, first, form.height, form.width, form.height, form.width),
                kUsage);
  }
  const Image fitting = resized(image, form.height, form.width);
  std::memcpy(out.data(), fitting.bytes.data(), fitting.bytes.size());
}

struct Rows {
  std::string split;
  std::vector<const ImageFolder::File*> files;
};

/// Rows of each split in the order in which they are written.
std::vector<Rows> rows_of(const ImageFolder& folder, const ImageFolderOptions& options) {
  std::vector<Rows> result;
  for (const ImageFolder::Part& part : folder.parts) {
    const auto count = static_cast<std::int64_t>(part.files.size());
    std::vector<Split> splits{{part.split, count}};
    if (!options.split.empty()) splits = parse_split(options.split, count);
    const std::vector<std::int64_t> order = shuffled_rows(count, options.seed);
    auto next = order.begin();
    for (const Split& split : splits) {
      Rows& rows = result.emplace_back(Rows{split.name, {}});
      for (std::int64_t i = 0; i < split.rows; ++i) rows.files.push_back(&part.files[static_cast<std::size_t>(*next++)]);
    }
  }
  return result;
}

}  // namespace

void parse_size(const std::string& text, ImageFolderOptions& options) {
  const char* const end = text.data() + text.size();
  const auto height = std::from_chars(text.data(), end, options.height);
  const bool cross = height.ec == std::errc{} && height.ptr != end && *height.ptr == 'x';
  const auto width = cross ? std::from_chars(height.ptr + 1, end, options.width) : height;
  const bool good = cross && width.ec == std::errc{} && width.ptr == end && options.height > 0 && options.width > 0;
  if (!good || options.height > kLargestSide || options.width > kLargestSide)
    throw Error(fmt::format("size '{}': expected HEIGHTxWIDTH, such as 28x28, each from 1 to {}", text, kLargestSide), kUsage);
}

ImageFolder find_images(const fs::path& folder) {
  std::error_code error;
  if (!fs::is_directory(folder, error))
    throw Error(folder.string() + ": no such folder; expected one with a sub-folder for each class", kUsage);
  ImageFolder found;
  std::vector<std::pair<std::string, fs::path>> splits;  // name and folder
  const std::vector<fs::path> top = sub_folders(folder);
  for (const fs::path& sub : top) {
    const auto split = split_names().find(sub.filename().string());
    if (split != split_names().end()) splits.emplace_back(split->second, sub);
  }
  if (splits.size() != top.size()) splits = {{"train", folder}};  // class folders, one of which may be called test
  std::map<std::string, std::int64_t> labels;
  std::vector<std::map<std::string, std::vector<fs::path>>> classes;
  for (const auto& [split, path] : splits) {
    for (const auto& [name, files] : classes.emplace_back(find_classes(path, found.others))) labels.emplace(name, 0);
  }
  for (auto& [name, label] : labels) {
    label = static_cast<std::int64_t>(found.classes.size());
    found.classes.push_back(name);
  }
  for (std::size_t s = 0; s < splits.size(); ++s) {
    const std::string& split = splits[s].first;
    const auto same = std::find_if(found.parts.begin(), found.parts.end(), [&](const auto& part) { return part.split == split; });
    if (same != found.parts.end()) throw Error(fmt::format("{}: two folders are the split '{}'", folder.string(), split), kUsage);
    ImageFolder::Part& part = found.parts.emplace_back(ImageFolder::Part{split, {}});
    for (const auto& [name, files] : classes[s]) {
      for (const fs::path& path : files) part.files.push_back({path, labels.at(name)});
    }
    if (!part.files.empty()) continue;
    throw Error(splits[s].second.string() + ": no .png, .jpg or .jpeg in its sub-folders; expected a sub-folder of pictures for each class",
                kUsage);
  }
  if (found.parts.empty())
    throw Error(folder.string() + ": has no sub-folders; expected one for each class, or train and test with these", kUsage);
  return found;
}

void import_images(Hdf5File& file, const ImageFolder& folder, const ImageFolderOptions& options, const WorkProgress& progress) {
  constexpr std::int64_t kBlock = 256;
  if (!options.split.empty() && (folder.parts.size() > 1 || folder.parts.front().split != "train"))
    throw Error("--split: the folder has its splits already", kUsage);
  const Form form = form_of(folder, options);
  const std::vector<Rows> parts = rows_of(folder, options);
  const std::string first = folder.parts.front().files.front().path.string();
  const int threads = threads_for_rank(World(), 0);
  std::int64_t total = 0, done = 0;
  for (const Rows& part : parts) total += static_cast<std::int64_t>(part.files.size());
  for (const Rows& part : parts) {
    const auto rows = static_cast<std::int64_t>(part.files.size());
    expect_memory(static_cast<double>(rows) * static_cast<double>(form.bytes()),
                  fmt::format("the {} pictures of '{}' at {} x {}", rows, part.split, form.height, form.width),
                  "Take a smaller --size, or import parts of the folder into several files");
    std::vector<std::uint8_t> images(static_cast<std::size_t>(rows * form.bytes()));
    std::vector<std::int64_t> labels;
    for (const ImageFolder::File* one : part.files) labels.push_back(one->label);
    for (std::int64_t lo = 0; lo < rows; lo += kBlock) {
      const std::int64_t hi = std::min(lo + kBlock, rows);
      for_each_grain(threads, hi - lo, [&](std::int64_t i) {
        const auto at = static_cast<std::size_t>((lo + i) * form.bytes());
        read_image(part.files[static_cast<std::size_t>(lo + i)]->path, form, first,
                   std::span(images).subspan(at, static_cast<std::size_t>(form.bytes())));
      });
      done += hi - lo;
      if (progress) progress(static_cast<double>(done) / static_cast<double>(total));
    }
    std::vector<std::int64_t> shape{rows, form.height, form.width};
    if (form.colour) shape.push_back(3);
    file.write<std::uint8_t>("/" + part.split + "/x", shape, images);
    write_labels(file, "/" + part.split + "/y", labels);
  }
  write_names(file, {folder.classes, {}, {}, "", ""});
}

}  // namespace lockstep
