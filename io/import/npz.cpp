#include "io/import/npz.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <optional>
#include <set>

#include "cluster/error.h"
#include "io/data/arrangement.h"
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
  const std::size_t last = comma == std::string::npos ? text.size() : comma;
  if (equals == 0 || equals == std::string::npos || last == equals + 1 || last + 1 == text.size() || text.find('/') < equals) {
    throw Error(fmt::format("arrays '{}': expected SPLIT=FEATURES,TARGETS (train=images,labels) or SPLIT=FEATURES", text), kUsage);
  }
  if (last == text.size()) return {text.substr(0, equals), text.substr(equals + 1), ""};
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
      if (!names.contains(x + end)) continue;
      const std::string y = names.contains("y" + end) ? "y" + end : names.contains("Y" + end) ? "Y" + end : "";
      splits.push_back({split, x + end, y});
    }
  }
  return splits;
}

}  // namespace

NpzContent read_npz(std::string_view bytes, const std::string& path, const std::vector<std::string>& arrays) {
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
  NpzContent content;
  std::set<std::string> unused = names;
  const auto place = [&](const std::string& name) { return path + ": array '" + name + "'"; };
  for (const SplitNames& names_of : wanted) {
    NpySplit& split = content.splits.emplace_back();
    split.split = names_of.split;
    split.features = read(names_of.features);
    split.features_name = place(names_of.features);
    unused.erase(names_of.features);
    if (names_of.truth.empty()) continue;
    split.truth = read(names_of.truth);
    split.truth_name = place(names_of.truth);
    unused.erase(names_of.truth);
  }
  content.unused.assign(unused.begin(), unused.end());
  return content;
}

namespace {

void check_split(const NpySplit& split) {
  if (split.features.type == ElementType::other) throw Error(split.features_name + ": holds strings; expected numbers");
  if (split.features.shape.empty()) throw Error(split.features_name + ": is a single value; expected rows along its first axis");
  if (split.features.rows() == 0) throw Error(split.features_name + ": has no rows");
  if (split.truth_name.empty()) return;
  const std::vector<std::int64_t>& shape = split.truth.shape;
  if (shape.empty() || shape.size() > 2)
    throw Error(split.truth_name + ": expected targets of shape (rows) or (rows, k), found " + shape_text(shape));
  if (split.truth.rows() != split.features.rows()) {
    throw Error(
        fmt::format("{} has {} rows, but {} has {}", split.truth_name, split.truth.rows(), split.features_name, split.features.rows()));
  }
  if (split.truth.type == ElementType::other && static_cast<std::int64_t>(split.truth.texts.size()) != split.truth.rows())
    throw Error(split.truth_name + ": expected one string a row, found shape " + shape_text(shape));
}

}  // namespace

void write_npy(Hdf5File& file, const std::vector<NpySplit>& splits, const std::vector<std::string>& class_names, std::int64_t first_label) {
  WordIndex words;
  std::set<std::string> names;
  std::optional<bool> texts_everywhere;
  for (const NpySplit& split : splits) {
    check_split(split);
    if (!names.insert(split.split).second) throw Error("the split '" + split.split + "' is named twice", kUsage);
    for (const std::string& text : split.truth.texts) words.number(text);
    if (split.truth_name.empty()) continue;
    const bool texts = split.truth.type == ElementType::other;
    if (texts != texts_everywhere.value_or(texts)) throw Error(split.truth_name + ": expected strings in all splits or in none");
    texts_everywhere = texts;
  }
  const WordOrder order = sorted_words(words.words());
  if (!order.words.empty() && !class_names.empty()) throw Error("--class-names: the targets are strings, which name the classes", kUsage);
  for (const NpySplit& split : splits) {
    std::vector<std::int64_t> shape = split.features.shape;
    if (shape.size() == 1) shape.push_back(1);
    file.write_raw("/" + split.split + "/x", shape, split.features.type, split.features.bytes);
    if (split.truth_name.empty()) continue;
    const std::string y = "/" + split.split + "/y";
    if (split.truth.type != ElementType::other) {
      std::vector<std::byte> labels = split.truth.bytes;
      if (first_label != 0 && split.truth.rows() * type_bytes(split.truth.type) != static_cast<std::int64_t>(labels.size()))
        throw Error(split.truth_name + ": --first-label goes with one label a row, found shape " + shape_text(split.truth.shape), kUsage);
      const Arrangement counted{.first_label = first_label};
      const std::int64_t below = counted.subtract_first_label(split.truth.type, split.truth.rows(), labels.data());
      if (below >= 0)
        throw Error(fmt::format("{}: row {}: the label is less than --first-label {}", split.truth_name, below, first_label), kUsage);
      file.write_raw(y, split.truth.shape, split.truth.type, labels);
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
