#include "io/import/npz.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cstring>
#include <optional>
#include <set>

#include "cluster/error.h"
#include "io/data/arrangement.h"
#include "io/data/data_file.h"
#include "io/data/row_convert.h"
#include "io/files/file_bytes.h"
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

namespace {

/// The arrays of an archive by name.
class Arrays {
 public:
  Arrays(const std::string& path, std::string_view bytes)
      : path_(path), archive_(path, bytes, "an .npz file"), members_(archive_.members()) {
    for (const ZipReader::Member& member : members_) {
      if (member.name.ends_with(".npy")) names_.insert(member.name.substr(0, member.name.size() - 4));
    }
  }
  const std::set<std::string>& names() const { return names_; }
  NpyArray read(const std::string& name) const {
    constexpr double kCopies = 3;  // the member, its array, and that in C order
    const auto found = std::find_if(members_.begin(), members_.end(), [&](const auto& member) { return member.name == name + ".npy"; });
    if (found == members_.end())
      throw Error(fmt::format("{}: there is no array '{}'; its arrays are: {}", path_, name, fmt::join(names_, ", ")), kUsage);
    return parse_npy(archive_.read(*found, kCopies, "Save it as several files"), path_ + ": array '" + name + "'");
  }

 private:
  const std::string& path_;
  ZipReader archive_;
  std::vector<ZipReader::Member> members_;
  std::set<std::string> names_;
};

}  // namespace

NpzContent read_npz(std::string_view bytes, const std::string& path, const std::vector<std::string>& arrays) {
  const Arrays archive(path, bytes);
  const std::set<std::string>& names = archive.names();
  std::vector<SplitNames> wanted;
  for (const std::string& text : arrays) wanted.push_back(parse_arrays(text));
  if (arrays.empty()) wanted = usual_splits(names);
  if (wanted.empty()) {
    throw Error(fmt::format("{}: its arrays are: {}; name those to take: --arrays train=FEATURES,TARGETS", path, fmt::join(names, ", ")),
                kUsage);
  }
  NpzContent content;
  std::set<std::string> unused = names;
  const auto place = [&](const std::string& name) { return path + ": array '" + name + "'"; };
  for (const SplitNames& names_of : wanted) {
    NpySplit& split = content.splits.emplace_back();
    split.split = names_of.split;
    split.features = archive.read(names_of.features);
    split.features_name = place(names_of.features);
    unused.erase(names_of.features);
    if (names_of.truth.empty()) continue;
    split.truth = archive.read(names_of.truth);
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

namespace {

/// The array of features by its usual names, or the only one that may be it.
std::string features_of(const std::set<std::string>& names, const std::string& path, const std::vector<std::string>& ids) {
  for (const char* usual : {"x", "X", "x_test", "X_test"}) {
    if (names.contains(usual)) return usual;
  }
  std::vector<std::string> left;
  std::copy_if(names.begin(), names.end(), std::back_inserter(left), [&](const std::string& name) {
    return std::find(ids.begin(), ids.end(), name) == ids.end() && !name.starts_with("y") && !name.starts_with("Y");
  });
  if (left.size() == 1) return left.front();
  throw Error(fmt::format("{}: its arrays are: {}; name the one to take: --group ARRAY", path, fmt::join(names, ", ")), kUsage);
}

/// Row `row` of an array of one value a row.
std::string text_of(const NpyArray& array, std::int64_t row) {
  if (array.type == ElementType::other) return array.texts[static_cast<std::size_t>(row)];
  const std::byte* const at = array.bytes.data() + row * type_bytes(array.type);
  const double value = element_value(array.type, at);
  if (is_floating(array.type)) return fmt::format("{}", value);
  if (array.type == ElementType::u64) {
    std::uint64_t number = 0;
    std::memcpy(&number, at, sizeof number);
    return std::to_string(number);
  }
  if (array.type != ElementType::i64) return fmt::format("{:.0f}", value);
  std::int64_t number = 0;
  std::memcpy(&number, at, sizeof number);
  return std::to_string(number);
}

}  // namespace

NumpyRows::NumpyRows(const std::string& path, const std::string& array, const std::vector<std::string>& ids) {
  const std::string bytes = read_file_maybe_gzip(path);
  if (bytes.starts_with("PK")) {
    const Arrays archive(path, bytes);
    const std::string name = array.empty() ? features_of(archive.names(), path, ids) : array;
    features_ = archive.read(name);
    for (const std::string& id : ids) {
      const NpyArray& column = ids_.emplace_back(archive.read(id));
      const std::int64_t values = column.type == ElementType::other
                                      ? static_cast<std::int64_t>(column.texts.size())
                                      : static_cast<std::int64_t>(column.bytes.size()) / type_bytes(column.type);
      if (column.rows() != features_.rows() || values != column.rows()) {
        throw Error(fmt::format("{}: array '{}': expected one value for each of the {} rows of '{}', found shape {}", path, id,
                                features_.rows(), name, shape_text(column.shape)),
                    kUsage);
      }
    }
    note_ = fmt::format("{}: rows of array '{}'", path, name);
  } else {
    if (!array.empty() || !ids.empty()) throw Error(path + ": holds a single array; --group and --id name arrays of an .npz file", kUsage);
    features_ = parse_npy(bytes, path);
    note_ = path + ": rows of its array";
  }
  if (features_.type == ElementType::other) throw Error(note_ + " are strings; expected numbers", kUsage);
  if (features_.rows() == 0) throw Error(note_ + ": there are none", kUsage);
}

std::int64_t NumpyRows::next(std::int64_t count, std::vector<float>& features, std::vector<std::vector<std::string>>& ids) {
  const std::int64_t rows = std::min(count, features_.rows() - done_);
  if (rows == 0) return 0;
  const auto bytes = static_cast<std::int64_t>(features_.bytes.size()) / features_.rows();
  const std::int64_t floats = rows * bytes / type_bytes(features_.type);
  features.resize(static_cast<std::size_t>(floats));
  to_float(features_.type)(features_.bytes.data() + done_ * bytes, features.data(), floats);
  ids.assign(ids_.size(), {});
  for (std::size_t i = 0; i < ids_.size(); ++i) {
    for (std::int64_t row = done_; row < done_ + rows; ++row) ids[i].push_back(text_of(ids_[i], row));
  }
  done_ += rows;
  return rows;
}

}  // namespace lockstep
