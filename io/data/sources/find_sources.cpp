#include "io/data/sources/find_sources.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "cluster/error.h"
#include "io/data/name_list.h"
#include "io/hdf5/attributes.h"
#include "io/import/csv/columns.h"

namespace lockstep {
namespace {

constexpr std::int64_t kMostNamed = 1 << 20;   // columns of a data set
constexpr std::size_t kMostClasses = 1 << 16;  // of strings; more are no labels

/// The end of a message about a data set that is not there.
std::string what_there_is(const Hdf5File& file) {
  const std::vector<std::string> names = file.datasets();
  return names.empty() ? "the file has no data sets" : fmt::format("the file has: {}", name_list(names));
}

std::string text_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  if (!has_attribute(file, object, name)) return "";
  try {
    return read_string_attribute(file, object, name);
  } catch (const Error&) {
    return "";  // another program's attribute of that name
  }
}

std::vector<double> numbers_attribute(const Hdf5File& file, const std::string& object, const std::string& name) {
  if (!has_attribute(file, object, name)) return {};
  try {
    return read_doubles_attribute(file, object, name);
  } catch (const Error&) {
    return {};
  }
}

/// What netCDF stores where nothing was written, unless a variable says otherwise.
std::optional<double> default_fill(ElementType type) {
  switch (type) {
    case ElementType::i16: return -32767;
    case ElementType::i32: return -2147483647;
    case ElementType::i64: return -9223372036854775806.;
    case ElementType::f32:
    case ElementType::f64: return 0x1.ep+122;
    default: return {};
  }
}

/// netCDF's conventions for a variable.
void unpack(const Hdf5File& file, RowSource& source) {
  const std::string& name = source.info.name;
  for (const char* attribute : {"_FillValue", "missing_value"}) {
    for (const double value : numbers_attribute(file, name, attribute)) {
      if (!std::isnan(value)) source.missing.push_back(value);
    }
  }
  const auto fill = default_fill(source.info.type);
  if (fill && has_attribute(file, "/", "_NCProperties") && !has_attribute(file, name, "_FillValue")) source.missing.push_back(*fill);
  const std::vector<double> scale = numbers_attribute(file, name, "scale_factor"), offset = numbers_attribute(file, name, "add_offset");
  if (scale.size() == 1) source.scale = scale.front();
  if (offset.size() == 1) source.offset = offset.front();
}

RowSource whole_source(const Hdf5File& file, const std::string& name, bool reversed) {
  RowSource source{.info = file.info(name)};
  source.reversed = reversed && source.info.shape.size() > 1;
  source.count = source.row_elements();
  if (!source.info.text && source.info.type != ElementType::other && source.info.members.empty()) unpack(file, source);
  return source;
}

bool is_frame(const Hdf5File& file, const std::string& group) {
  return file.exists(group.empty() ? "/" : group) && text_attribute(file, group.empty() ? "/" : group, "pandas_type") == "frame";
}

/// A column of a frame: block and place in it.
struct FrameColumn {
  std::string name, block;
  std::int64_t index;
};

std::vector<FrameColumn> columns_of(const Hdf5File& file, const std::string& group) {
  std::vector<FrameColumn> columns;
  for (int block = 0; file.exists(fmt::format("{}/block{}_items", group, block)); ++block) {
    const std::string items = fmt::format("{}/block{}_items", group, block), values = fmt::format("{}/block{}_values", group, block);
    const ArrayInfo info = file.info(items);
    constexpr std::int64_t kMostColumns = 1 << 24;
    if (info.shape.size() != 1 || info.rows() > kMostColumns) {
      throw Error(fmt::format("{}: {}: expected the names of up to {} columns, found shape {}; the file may be damaged", file.path(), items,
                              kMostColumns, info.shape));
    }
    std::vector<std::string> names;
    if (info.text) {
      names = file.read_strings(items, 0, info.rows());
    } else {
      std::vector<std::int64_t> numbers(static_cast<std::size_t>(info.rows()));
      file.read_rows<std::int64_t>(items, 0, info.rows(), numbers);
      for (const std::int64_t number : numbers) names.push_back(std::to_string(number));
    }
    for (std::size_t i = 0; i < names.size(); ++i) columns.push_back({names[i], values, static_cast<std::int64_t>(i)});
  }
  return columns;
}

RowSource frame_source(const Hdf5File& file, const std::string& group, const std::string& name) {
  const std::vector<FrameColumn> columns = columns_of(file, group);
  const auto found = std::find_if(columns.begin(), columns.end(), [&](const FrameColumn& column) { return column.name == name; });
  if (found == columns.end()) {
    std::vector<std::string> names;
    for (const FrameColumn& column : columns) names.push_back(column.name);
    throw Error(
        fmt::format("{}: there is no column '{}' in the frame '{}'; its columns are: {}", file.path(), name, group, name_list(names)),
        kUsage);
  }
  RowSource source{.info = file.info(found->block), .first = found->index, .count = 1, .names = {name}};
  if (source.info.type == ElementType::other) {
    throw Error(fmt::format("{}: column '{}' of the frame '{}' holds Python objects, which are a program, not data; make its words numbers "
                            "before to_hdf (df['{}'].astype('category').cat.codes), or write a CSV for 'lockstep data import csv'",
                            file.path(), name, group, name),
                kUsage);
  }
  if (source.info.shape.size() != 2 || source.first >= source.info.shape[1])
    throw Error(fmt::format("{}: the frame '{}' is damaged: '{}' has no column {}", file.path(), group, found->block, source.first));
  return source;
}

[[noreturn]] void refuse_name(const Hdf5File& file, const std::string& group, const std::string& full) {
  const std::string kind = group.empty() || !file.exists(group) ? "" : text_attribute(file, group, "pandas_type");
  if (!kind.empty() && kind != "frame") {
    throw Error(fmt::format("{}: '{}' is a {} of pandas; write it anew with df.to_hdf(..., format='fixed'), or as CSV for 'lockstep data "
                            "import csv'",
                            file.path(), group, kind),
                kUsage);
  }
  if (!group.empty() && !file.exists(group))
    throw Error(fmt::format("{}: there is no group '{}'; {}", file.path(), group, what_there_is(file)), kUsage);
  throw Error(fmt::format("{}: there is no data set '{}'; {}", file.path(), full, what_there_is(file)), kUsage);
}

}  // namespace

std::string full_name(const std::string& group, const std::string& name) { return name.starts_with('/') ? name : group + "/" + name; }

std::vector<RowSource> find_sources(const Hdf5File& file, const std::string& group, const std::vector<std::string>& names, bool reversed) {
  std::vector<RowSource> sources;
  for (const std::string& name : names) {
    const std::string full = full_name(group, name);
    if (file.exists(full)) {
      sources.push_back(whole_source(file, full, reversed));
    } else if (is_frame(file, group)) {
      sources.push_back(frame_source(file, group, name));
    } else {
      refuse_name(file, group, full);
    }
    RowSource& source = sources.back();
    const std::string base = name.starts_with('/') ? name.substr(name.rfind('/') + 1) : name;
    source.names = {base};
    if (source.count == 1) continue;
    source.names.clear();
    for (std::int64_t i = 0; names.size() > 1 && source.count <= kMostNamed && i < source.count; ++i)
      source.names.push_back(fmt::format("{}_{}", base, i));
  }
  return sources;
}

std::vector<std::string> frame_columns(const Hdf5File& file, const std::string& group) {
  std::vector<std::string> names;
  if (!is_frame(file, group)) return names;
  for (const FrameColumn& column : columns_of(file, group)) {
    if (file.exists(column.block) && file.info(column.block).type != ElementType::other) names.push_back(column.name);
  }
  return names;
}

namespace {

std::vector<std::string> name_words(const Hdf5File& file, RowSource& labels, const std::vector<std::string>& class_names) {
  const std::string place = fmt::format("{}: data set '{}'", file.path(), labels.info.name);
  if (labels.count != 1) throw Error(place + ": expected one string a row", kUsage);
  std::vector<std::string> classes = class_names;
  if (classes.empty()) {
    WordIndex words;
    for (std::int64_t at = 0, block = 1 << 16; at < labels.rows(); at += block) {
      for (const std::string& word : file.read_strings(labels.info.name, at, std::min(at + block, labels.rows()))) {
        if (word.empty()) throw Error(fmt::format("{}: a label is an empty string; leave such rows out", place), kUsage);
        words.number(word);
      }
      if (words.words().size() > kMostClasses)
        throw Error(fmt::format("{}: more than {} different strings; expected names of classes", place, kMostClasses), kUsage);
    }
    classes = words.words();
    std::sort(classes.begin(), classes.end());
  }
  for (std::size_t i = 0; i < classes.size(); ++i) labels.words.emplace(classes[i], static_cast<std::int32_t>(i));
  return classes;
}

/// An enumeration beside class names: a member that bears one of them is that class. Where none does, values are indices of the names.
std::vector<std::string> name_members(const Hdf5File& file, RowSource& labels, const std::vector<std::string>& class_names) {
  std::vector<std::string> members, unknown;
  std::map<std::int64_t, std::int32_t> codes;
  for (const EnumMember& member : labels.info.members) {
    members.push_back(member.name);
    const auto found = std::find(class_names.begin(), class_names.end(), member.name);
    if (found == class_names.end()) unknown.push_back(member.name);
    codes.emplace(member.value, static_cast<std::int32_t>(found - class_names.begin()));
  }
  if (unknown.size() == members.size()) return class_names;
  if (!unknown.empty()) {
    throw Error(fmt::format("{}: {}: the enumeration has the members {}, but the file's class names are {}; name the same classes in both",
                            file.path(), labels.info.name, name_list(members), name_list(class_names)),
                kUsage);
  }
  labels.codes = std::move(codes);
  return class_names;
}

}  // namespace

std::vector<std::string> name_classes(const Hdf5File& file, RowSource& labels, const std::vector<std::string>& class_names) {
  if (labels.info.text) return name_words(file, labels, class_names);
  if (labels.info.members.empty() || labels.count != 1) return class_names;
  if (!class_names.empty()) return name_members(file, labels, class_names);
  std::vector<std::string> classes;
  bool in_order = true;
  for (const EnumMember& member : labels.info.members) {
    in_order = in_order && member.value == static_cast<std::int64_t>(classes.size());
    labels.codes.emplace(member.value, static_cast<std::int32_t>(classes.size()));
    classes.push_back(member.name);
  }
  if (in_order) labels.codes.clear();                                                     // values are the indices
  if (classes == std::vector<std::string>{"FALSE", "TRUE"}) classes = {"False", "True"};  // h5py's booleans
  return classes;
}

}  // namespace lockstep
