// lockstep data show: what is in a data file.
#include <fmt/format.h>
#include <langinfo.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <map>
#include <memory>
#include <string_view>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/data/data_summary.h"
#include "io/data/lost_values.h"
#include "io/import/picture.h"
#include "launch/command_line.h"
#include "launch/data/cells.h"
#include "launch/data/commands.h"

namespace lockstep {
namespace {

const std::string kSplit = "train";  // unless --split names another one

struct ShowOptions {
  std::string in, split = kSplit, png;
  std::int64_t rows = 8;
};

std::string size_text(std::int64_t bytes) {
  if (bytes < 10'000) return fmt::format("{} B", bytes);
  if (bytes < 10'000'000) return fmt::format("{:.1f} kB", static_cast<double>(bytes) / 1e3);
  return fmt::format("{:.1f} MB", static_cast<double>(bytes) / 1e6);
}

void show_contents(const Hdf5File& file, const DataNames& names) {
  fmt::print("{}  {}\n", file.path(), size_text(static_cast<std::int64_t>(std::filesystem::file_size(file.path()))));
  if (!names.description.empty()) fmt::print("  {}\n", names.description);
  if (!names.class_names.empty()) fmt::print("  class_names: {}\n", fmt::join(names.class_names, ", "));
  if (!names.feature_names.empty()) fmt::print("  feature_names: {}\n", fmt::join(names.feature_names, ", "));
  if (!names.target_names.empty()) fmt::print("  target_names: {}\n", fmt::join(names.target_names, ", "));
  fmt::print("  groups: {}\n\n", fmt::join(file.groups(), ", "));
  std::vector<std::vector<std::string>> cells{{"DATA SET", "SHAPE", "TYPE", "LAYOUT", "IN THE FILE"}};
  std::vector<std::string> problems;
  for (const std::string& name : file.datasets()) {
    try {
      const ArrayInfo info = file.info(name);
      std::string layout{layout_name(info.layout)};
      if (!info.chunk.empty()) layout += fmt::format(" ({})", fmt::join(info.chunk, ", "));
      if (!info.filters.empty()) layout += fmt::format(" {}", fmt::join(info.filters, "+"));
      if (!info.filters.empty() && info.rows() > 0 && info.type != ElementType::other) {  // one chunk through its filters
        std::vector<std::byte> row(static_cast<std::size_t>(info.row_bytes()));
        file.read_raw(name, 0, 1, row);
      }
      cells.push_back({name, fmt::format("({})", fmt::join(info.shape, ", ")),
                       (info.text ? "string" : std::string(type_name(info.type))) + (info.native_order || info.text ? "" : ", big-endian"),
                       layout, size_text(info.storage_bytes)});
    } catch (const std::exception& error) {       // also of memory for a huge row
      cells.push_back({name, "cannot be read"});  // one odd data set does not hide the others
      problems.emplace_back(error.what());
    }
  }
  print_cells(cells, false);
  if (!problems.empty()) fmt::print("\n{}\n", fmt::join(problems, "\n"));
}

std::vector<std::string> splits_with(const Hdf5File& file, const std::string& array) {
  std::vector<std::string> splits;
  for (const std::string& group : file.groups()) {
    if (file.exists(group + "/" + array)) splits.push_back(group);
  }
  return splits;
}

/// Names say that a target is a class. Without names, few whole numbers from 0 on do.
bool holds_labels(const Hdf5File& file, const ArrayInfo& info, const DataNames& names) {
  constexpr double kMostClasses = 1000;
  if (info.shape.empty() || info.row_elements() != 1 || info.type == ElementType::other) return false;
  if (!names.class_names.empty()) return true;
  if (is_floating(info.type) || info.shape.size() > 2) return false;
  const ColumnStats stats = column_stats(file, info.name).front();
  return stats.min >= 0 && stats.max < kMostClasses;
}

/// Strings as labels, and how often each occurs.
void show_words(const Hdf5File& file, const ArrayInfo& info) {
  constexpr std::size_t kMost = 100;
  std::map<std::string, std::int64_t> counts;
  for (std::int64_t at = 0, block = 1 << 16; at < info.rows(); at += block) {
    for (const std::string& word : file.read_strings(info.name, at, std::min(at + block, info.rows()))) ++counts[word];
  }
  std::vector<std::vector<std::string>> cells{{"CLASS", info.name}};
  for (const auto& [word, count] : counts) {
    if (cells.size() <= kMost) cells.push_back({word, std::to_string(count)});
  }
  fmt::print("\nLabels: rows of each string of {}\n", info.name);
  print_cells(cells, true);
  if (counts.size() > kMost) fmt::print("  ... {} strings in all\n", counts.size());
}

/// Values that training would lose. What cannot be trained on has its message when it is.
void show_lost_values(const std::string& path, const std::string& split, bool has_truth) {
  std::vector<LostValues> lost;
  try {
    lost = lost_values(Hdf5Dataset(path, split, {.truth = has_truth ? "y" : ""}));
  } catch (const Error&) {
  }
  for (const LostValues& column : lost) fmt::print("\nwarning: {}\n", lost_text(column));
}

void show_labels(const Hdf5File& file, const DataNames& names) {
  std::vector<std::vector<std::int64_t>> counts;
  std::vector<std::string> heading{"CLASS"};
  std::size_t classes = names.class_names.size();
  for (const std::string& group : splits_with(file, "y")) {
    const ArrayInfo info = file.info(group + "/y");
    if (info.text && info.shape.size() == 1) show_words(file, info);
    if (!holds_labels(file, info, names)) continue;
    counts.push_back(label_histogram(file, info.name));
    heading.push_back(group.substr(1));
    classes = std::max(classes, counts.back().size());
  }
  if (counts.empty()) return;
  constexpr std::size_t kMost = 100;
  std::vector<std::vector<std::string>> cells{heading};
  for (std::size_t c = 0; c < std::min(classes, kMost); ++c) {
    cells.push_back({c < names.class_names.size() ? fmt::format("{} {}", c, names.class_names[c]) : std::to_string(c)});
    for (const auto& column : counts) cells.back().push_back(std::to_string(c < column.size() ? column[c] : 0));
  }
  fmt::print("\nLabels: rows of each class\n");
  print_cells(cells, true);
  if (classes > kMost) fmt::print("  ... {} classes in all\n", classes);
}

void show_columns(const Hdf5File& file, const std::string& dataset, const std::vector<std::string>& column_names) {
  const std::vector<ColumnStats> stats = column_stats(file, dataset);
  std::vector<std::vector<std::string>> cells{{"COLUMN", "MIN", "MEAN", "MAX", "STD", "NOT FINITE"}};
  for (std::size_t i = 0; i < stats.size(); ++i) {
    const ColumnStats& s = stats[i];
    cells.push_back({i < column_names.size() ? column_names[i] : std::to_string(i), fmt::format("{:.6g}", s.min),
                     fmt::format("{:.6g}", s.mean), fmt::format("{:.6g}", s.max), fmt::format("{:.6g}", s.std), std::to_string(s.missing)});
  }
  fmt::print("\n{}\n", dataset);
  print_cells(cells, true);
}

TextStyle terminal_style() {
  std::setlocale(LC_CTYPE, "");
  if (std::string_view(nl_langinfo(CODESET)) != "UTF-8") return TextStyle::ascii;
  const char* terminal = std::getenv("TERM");
  const bool colours =
      isatty(STDOUT_FILENO) != 0 && terminal != nullptr && std::string_view(terminal).find("256color") != std::string_view::npos;
  return colours ? TextStyle::half_blocks : TextStyle::shades;
}

std::int64_t terminal_columns() {
  winsize size{};
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) return size.ws_col;
  return 120;
}

void show_pictures(const Hdf5File& file, const ShowOptions& options, const DataNames& names) {
  const std::string x = "/" + options.split + "/x", y = "/" + options.split + "/y";
  const std::int64_t rows = std::min(options.rows, file.info(x).rows());
  if (rows == 0) return;
  const std::vector<Picture> pictures = read_pictures(file, x, 0, rows);
  if (!options.png.empty()) {
    write_png(options.png, contact_sheet(pictures, std::max<std::int64_t>(1, 640 / (pictures[0].width + 2)), 2));
    fmt::print("\n{} rows of {} drawn in {}\n", rows, x, options.png);
  }
  std::vector<std::int64_t> labels;
  if (file.exists(y) && holds_labels(file, file.info(y), names) && file.info(y).rows() >= rows) {
    labels.resize(static_cast<std::size_t>(rows));
    file.read_rows<std::int64_t>(y, 0, rows, labels);
  }
  const auto label_text = [&](std::int64_t label) {
    const bool named = label >= 0 && label < static_cast<std::int64_t>(names.class_names.size());
    return named ? names.class_names[static_cast<std::size_t>(label)] : std::to_string(label);
  };
  const std::int64_t fits = (terminal_columns() + 1) / (pictures[0].width + 1);
  if (fits == 0) return fmt::print("\nThe images of {} are wider than this terminal; --png FILE draws them\n", x);
  fmt::print("\nFirst {} rows of {}\n", rows, x);
  for (std::int64_t lo = 0; lo < rows; lo += fits) {
    const std::int64_t hi = std::min(lo + fits, rows);
    fmt::print("{}", picture_text(contact_sheet({pictures.begin() + lo, pictures.begin() + hi}, fits, 1), terminal_style()));
    for (std::int64_t i = lo; i < hi && !labels.empty(); ++i) {
      const auto width = static_cast<std::size_t>(pictures[0].width);
      fmt::print("{:<{}.{}} ", label_text(labels[static_cast<std::size_t>(i)]), width, width);
    }
    fmt::print("{}", labels.empty() ? "" : "\n");
  }
}

void show(const ShowOptions& options) {
  const Hdf5File file = Hdf5File::open(options.in);
  const DataNames names = read_names(file);
  show_contents(file, names);
  show_labels(file, names);
  const std::string x = "/" + options.split + "/x", y = "/" + options.split + "/y";
  if (!file.exists(x)) {
    if (!options.png.empty()) throw Error(fmt::format("{}: there is no data set '{}' to draw (--split names another one)", options.in, x));
    if (options.split != kSplit)
      throw Error(fmt::format("{}: there is no data set '{}' to look into; --split names one of: {}", options.in, x,
                              fmt::join(file.groups(), ", ")),
                  kUsage);
    return fmt::print("\nThere is no data set '{}' to look into; --split names another split\n", x);
  }
  show_lost_values(options.in, options.split, file.exists(y));
  const ArrayInfo info = file.info(x);
  if (holds_images(info)) return show_pictures(file, options, names);
  if (!options.png.empty()) throw Error(fmt::format("{}: data set '{}' holds no images", options.in, x));
  if (info.type == ElementType::other || info.shape.empty() || info.shape.size() > 2) return;
  show_columns(file, x, names.feature_names);
  if (file.exists(y) && !holds_labels(file, file.info(y), names) && file.info(y).type != ElementType::other &&
      file.info(y).shape.size() <= 2) {
    show_columns(file, y, names.target_names);
  }
}

}  // namespace

void add_data_show(Command& data) {
  auto options = std::make_shared<ShowOptions>();
  Command command = data.add_command("show", "What is in a data file: arrays, labels, columns, pictures");
  command.option("FILE", options->in, "HDF5 file").required();
  command.option("--rows", options->rows, "Images to draw").show_default().at_least(1);
  command.option("--split", options->split, "Split to look into").show_default();
  command.option("--png", options->png, "Draw the images in a PNG file as well");
  command.footer(
      "Tables get the minimum, mean, maximum and standard deviation of every column, images a picture in greys.\n\n"
      "Examples:\n  lockstep data show data/garments.h5\n  lockstep data show data/garments.h5 --split test --rows 100 --png sheet.png");
  command.callback([options] { show(*options); });
}

}  // namespace lockstep
