#include "io/import/npz.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <set>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/files/zip.h"
#include "io/import/csv/columns.h"
#include "io/run/table.h"

namespace lockstep {
namespace {

std::string shape_text(const std::vector<std::int64_t>& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

struct SplitNames {
  std::string split, features, truth;
};

SplitNames parse_arrays(const std::string& text) {
  const std::size_t equals = text.find('='), comma = text.find(',', equals == std::string::npos ? 0 : equals);
  if (equals == 0 || equals == std::string::npos || comma == std::string::npos || comma == equals + 1 || comma + 1 == text.size() ||
      text.find('/') < equals) {
    throw Error(fmt::format("arrays '{}': expected SPLIT=FEATURES,TARGETS (train=images,labels)", text), kUsage);
  }
  return {text.substr(0, equals), text.substr(equals + 1, comma - equals - 1), text.substr(comma + 1)};
}

/// The splits by their usual names.
std::vector<SplitNames> usual_splits(const std::set<std::string>& names) {
  static const std::vector<std::pair<std::string, std::string>> kEnds{
      {"train", "_train"}, {"valid", "_valid"}, {"valid", "_val"}, {"test", "_test"}, {"train", ""}};
  std::vector<SplitNames> splits;
  for (const auto& [split, end] : kEnds) {
    if (end.empty() && !splits.empty()) break;
    for (const std::string x : {"x", "X"}) {
      for (const std::string y : {"y", "Y"}) {
        if (names.contains(x + end) && names.contains(y + end)) splits.push_back({split, x + end, y + end});
      }
    }
  }
  return splits;
}

}  // namespace

std::vector<NpySplit> read_npz(std::string_view bytes, const std::string& path, const std::vector<std::string>& arrays) {
  constexpr double kCopies = 3;  // the member, its array, and that in C order
  const ZipReader archive(path, bytes, "an .npz file");
  std::vector<ZipReader::Member> members = archive.members();
  std::set<std::string> names;
  for (const ZipReader::Member& member : members) {
    if (member.name.ends_with(".npy")) names.insert(member.name.substr(0, member.name.size() - 4));
  }
  std::vector<SplitNames> wanted;
  for (const std::string& text : arrays) wanted.push_back(parse_arrays(text));
  if (arrays.empty()) wanted = usual_splits(names);
  if (wanted.empty()) {
    throw Error(fmt::format("{}: its arrays are: {}; name those to take: --arrays train=FEATURES,TARGETS", path, fmt::join(names, ", ")),
                kUsage);
  }
  const auto read = [&](const std::string& name) {
    const auto found = std::find_if(members.begin(), members.end(), [&](const auto& member) { return member.name == name + ".npy"; });
    if (found == members.end())
      throw Error(fmt::format("{}: there is no array '{}'; its arrays are: {}", path, name, fmt::join(names, ", ")), kUsage);
    return parse_npy(archive.read(*found, kCopies, "Save it as several files"), path + ": array '" + name + "'");
  };
  std::vector<NpySplit> splits;
  for (const SplitNames& names_of : wanted) {
    splits.push_back({names_of.split, read(names_of.features), read(names_of.truth), path + ": array '" + names_of.features + "'",
                      path + ": array '" + names_of.truth + "'"});
  }
  return splits;
}

namespace {

void check_split(const NpySplit& split) {
  if (split.features.type == ElementType::other) throw Error(split.features_name + ": holds strings; expected numbers");
  if (split.features.shape.empty()) throw Error(split.features_name + ": is a single value; expected rows along its first axis");
  const std::vector<std::int64_t>& shape = split.truth.shape;
  if (shape.empty() || shape.size() > 2)
    throw Error(split.truth_name + ": expected targets of shape (rows) or (rows, k), found " + shape_text(shape));
  if (split.truth.rows() != split.features.rows()) {
    throw Error(
        fmt::format("{} has {} rows, but {} has {}", split.truth_name, split.truth.rows(), split.features_name, split.features.rows()));
  }
  if (split.features.rows() == 0) throw Error(split.features_name + ": has no rows");
  if (split.truth.type == ElementType::other && static_cast<std::int64_t>(split.truth.texts.size()) != split.truth.rows())
    throw Error(split.truth_name + ": expected one string a row, found shape " + shape_text(shape));
}

}  // namespace

void write_npy(Hdf5File& file, const std::vector<NpySplit>& splits, const std::vector<std::string>& class_names) {
  WordIndex words;
  std::set<std::string> names;
  for (const NpySplit& split : splits) {
    check_split(split);
    if (!names.insert(split.split).second) throw Error("the split '" + split.split + "' is named twice", kUsage);
    for (const std::string& text : split.truth.texts) words.number(text);
    const bool texts = split.truth.type == ElementType::other, first = splits.front().truth.type == ElementType::other;
    if (texts != first) throw Error(split.truth_name + ": expected strings in all splits or in none");
  }
  const WordOrder order = sorted_words(words.words(), '.');
  if (!order.words.empty() && !class_names.empty()) throw Error("--class-names: the targets are strings, which name the classes", kUsage);
  for (const NpySplit& split : splits) {
    std::vector<std::int64_t> shape = split.features.shape;
    if (shape.size() == 1) shape.push_back(1);
    file.write_raw("/" + split.split + "/x", shape, split.features.type, split.features.bytes);
    const std::string y = "/" + split.split + "/y";
    if (split.truth.type != ElementType::other) {
      file.write_raw(y, split.truth.shape, split.truth.type, split.truth.bytes);
      continue;
    }
    std::vector<std::int64_t> labels;
    for (const std::string& text : split.truth.texts) labels.push_back(order.index[static_cast<std::size_t>(*words.find(text))]);
    write_labels(file, y, labels);
  }
  DataNames data;
  data.class_names = order.words.empty() ? class_names : order.words;
  write_names(file, data);
}

}  // namespace lockstep
