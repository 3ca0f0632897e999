#include "io/hdf5/arrays.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>

#include "cluster/error.h"
#include "io/data/sources/find_sources.h"
#include "io/hdf5/written.h"
#include "io/import/csv/recipe.h"

namespace lockstep {
namespace {

std::vector<std::string> matching_files(const std::string& pattern) {
  std::error_code ignored;
  if (std::filesystem::exists(pattern, ignored) || pattern.find_first_of("*?[") == std::string::npos) return {pattern};
  struct Matches : glob_t {
    Matches() : glob_t{} {}
    ~Matches() { globfree(this); }
  } matches;
  const int result = ::glob(pattern.c_str(), GLOB_ERR, nullptr, &matches);  // sorts
  if (result == GLOB_NOMATCH || (result == 0 && matches.gl_pathc == 0)) throw Error(pattern + ": no file matches this pattern", kUsage);
  if (result != 0) throw Error(pattern + ": cannot list the files of this pattern (is a directory unreadable?)");
  return {matches.gl_pathv, matches.gl_pathv + matches.gl_pathc};
}

std::string place(const RowArray::Part& part) { return part.path + ": data set '" + part.info.name + "'"; }
std::string shape_text(const Shape& shape) { return fmt::format("({})", fmt::join(shape, ", ")); }

/// The description of rows that are made of several data sets, or not as they lie in the file.
ArrayInfo described(const std::vector<RowSource>& sources, const std::string& group) {
  const RowSource& first = sources.front();
  ArrayInfo info = first.info;
  std::vector<std::string> names;
  std::int64_t width = 0;
  for (const RowSource& source : sources) {
    names.push_back(source.info.name);
    width += source.count;
  }
  names.erase(std::unique(names.begin(), names.end()), names.end());
  if (names.size() > 1) info.name = fmt::format("{} and {} more of {}", names[0], names.size() - 1, group.empty() ? "/" : group);
  info.shape = {first.rows()};
  const Shape row = first.row_shape();
  if (sources.size() == 1 && first.whole() && !row.empty())
    info.shape.insert(info.shape.end(), row.begin(), row.end());
  else
    info.shape.push_back(width);
  info.type = common_type(sources);
  info.native_order = false;
  info.file_offset = -1;
  if (!info.chunk.empty()) {  // rows that are decoded together
    const std::int64_t rows = first.reversed ? first.info.chunk.back() : first.info.chunk.front();
    info.chunk = info.shape;
    info.chunk.front() = rows;
  }
  return info;
}

std::string rows_text(const RowSource& source) { return fmt::format("'{}' has {}", source.info.name, source.rows()); }

/// Rows of data sets side by side. `columns`: one of shape (rows) is a column, too. With `names` the data set holds labels: strings and
/// members of an enumeration become the classes of `names`.
RowArray::Part find_part(const Hdf5File& file, const std::string& group, const std::vector<std::string>& wanted, bool reversed,
                         bool columns, DataNames* names = nullptr) {
  std::vector<RowSource> sources = find_sources(file, group, wanted, reversed);
  for (const RowSource& source : sources) {
    if (source.rows() == sources.front().rows()) continue;
    throw Error(fmt::format("{}: data sets of different numbers of rows cannot be features together: {}, {}", file.path(),
                            rows_text(sources.front()), rows_text(source)),
                kUsage);
  }
  if (names != nullptr && (sources.front().info.text || !sources.front().info.members.empty()))
    names->class_names = name_classes(file, sources.front(), names->class_names);
  RowArray::Part part{file.path(), sources.front().info, 0, FileStamp::of(file.path())};
  const bool column = wanted.size() == 1 && columns && part.info.shape.size() == 1;
  if (sources.size() == 1 && sources.front().plain() && !column) return part;
  part.info = described(sources, group);
  part.sources = std::move(sources);
  return part;
}

void check_part(const RowArray::Part& part, bool features) {
  const ArrayInfo& info = part.info;
  if (info.type == ElementType::other) {
    throw Error(fmt::format("{}: expected integers or floats (float16, float32, float64), found {}", place(part),
                            info.text ? "strings, which can only be labels ('truth'); make features numbers (one column a word)"
                                      : "another type; convert it to one of these (a table of pandas: to_hdf with format='fixed')"),
                kUsage);
  }
  if (features && info.shape.size() < 2) {
    throw Error(
        place(part) + ": expected features of shape (rows, ...), found " + shape_text(info.shape) + "; store single numbers as (rows, 1)",
        kUsage);
  }
  if (!features && (info.shape.empty() || info.shape.size() > 2)) {
    throw Error(place(part) + ": expected shape (rows) or (rows, k), found " + shape_text(info.shape), kUsage);
  }
  if (info.row_elements() < 1) throw Error(place(part) + ": a row of shape " + shape_text(info.shape) + " has no elements", kUsage);
}

/// Puts the rows of `part` behind those that are there.
void append(RowArray& array, RowArray::Part part, bool features) {
  check_part(part, features);
  if (array.parts.empty()) {
    array.type = part.info.type;
    array.width = part.info.row_elements();
  } else {
    const RowArray::Part& first = array.parts.front();
    const bool same_shape =
        features ? std::equal(first.info.shape.begin() + 1, first.info.shape.end(), part.info.shape.begin() + 1, part.info.shape.end())
                 : part.info.row_elements() == array.width;
    if (!same_shape || part.info.type != array.type) {
      throw Error(fmt::format("{}: expected rows like those of {}, which are {} of shape {}; found {} of shape {}", place(part), first.path,
                              type_name(array.type), shape_text(first.info.shape), type_name(part.info.type), shape_text(part.info.shape)),
                  kUsage);
    }
  }
  part.first = array.rows;
  array.rows += part.info.rows();
  array.parts.push_back(std::move(part));
}

/// Truth or weight of the file whose features were appended last.
void append_beside(std::optional<RowArray>& array, const RowArray& features, RowArray::Part part) {
  if (!array) array.emplace();
  const RowArray::Part& rows = features.parts.back();
  if (part.info.rows() != rows.info.rows()) {
    const auto last = [](const ArrayInfo& info) { return info.shape.empty() ? 0 : info.shape.back(); };
    const bool reversed = rows.sources.empty() && rows.info.shape.size() > 1 && last(rows.info) == last(part.info);
    throw Error(fmt::format("{}: expected {} rows as in '{}', found {}{}", place(part), rows.info.rows(), rows.info.name, part.info.rows(),
                            reversed ? fmt::format("; the last axes fit ({}): MATLAB and Julia reverse axes, which data.transpose: true "
                                                   "undoes",
                                                   last(rows.info))
                                     : ""),
                kUsage);
  }
  append(*array, std::move(part), false);
}

/// The largest class index that labels of a type can hold; those of float16 and of other types are not changed at all.
double largest_index(ElementType type) {
  switch (type) {
    case ElementType::i8: return 127;
    case ElementType::u8: return 255;
    case ElementType::i16: return 32767;
    case ElementType::u16: return 65535;
    case ElementType::f16:
    case ElementType::other: return -1;
    case ElementType::f32: return 1 << 24;
    default: return 2147483647;
  }
}

/// The classes of the file that was appended last: new ones go behind the others where no names were `given`. Each index becomes that of
/// its name.
void match_classes(RowArray& truth, const DataNames& own, DataNames& all, bool given) {
  if (own.class_names == all.class_names) return;
  for (const std::string& name : own.class_names) {
    if (!given && std::find(all.class_names.begin(), all.class_names.end(), name) == all.class_names.end()) all.class_names.push_back(name);
  }
  RowArray::Part& part = truth.parts.back();
  part.arrangement.classes = arrange_classes(own.class_names, own.origin, all.class_names, all.origin);
  for (std::size_t c = 0; c < own.class_names.size(); ++c) {
    const std::int64_t index = part.arrangement.classes[c];
    if (index == static_cast<std::int64_t>(c) || static_cast<double>(index) <= largest_index(truth.type)) continue;
    throw Error(fmt::format("{}: labels of type {} cannot take the order of the classes of {}; store them as int32", place(part),
                            type_name(truth.type), all.origin),
                kUsage);
  }
}

/// Matches columns of the part that was appended last, if they have names.
void match_columns(RowArray& array, const std::vector<std::string>& own, const std::string& own_origin, const std::vector<std::string>& all,
                   const std::string& origin, const std::string& what) {
  const auto names_columns = [&](const std::vector<std::string>& names) { return static_cast<std::int64_t>(names.size()) == array.width; };
  if (names_columns(own) && names_columns(all))
    array.parts.back().arrangement.columns = arrange_columns(own, own_origin, all, origin, what);
}

/// Names of a file, as far as none before it has them. `features`: whether the rows are those that feature_names are about.
void take_names(DataNames& all, const DataNames& own, bool features) {
  const bool first = all.empty();
  bool taken = false;
  const auto take = [&](auto& names, const auto& from) {
    if (!names.empty() || from.empty()) return;
    names = from;
    taken = true;
  };
  take(all.class_names, own.class_names);
  take(all.target_names, own.target_names);
  if (features) take(all.feature_names, own.feature_names);
  if (features) take(all.reading, own.reading);
  if (all.description.empty()) all.description = own.description;
  if (first || all.origin.empty()) {
    all.origin = own.origin;
  } else if (taken) {
    all.origin += " and " + own.origin;
  }
}

/// Which names of a file come from the data sets themselves.
struct OwnNames {
  bool features = false, classes = false;
};

/// Brings the file that was appended last into the order of the names. A file's attributes name /x and /y, no other data sets; variables
/// and classes that come from the labels name themselves.
void match_names(Hdf5Dataset::Arrays& found, const DataNames& own, const Hdf5Options& options, const OwnNames& names) {
  DataNames& all = found.names;
  const bool features = names.features || (options.variables.empty() && options.features == Hdf5Options{}.features);
  take_names(all, own, features);
  const bool labels = found.arrays.truth && found.arrays.truth->width == 1 && !own.class_names.empty();
  if (features) {
    match_columns(found.arrays.features, own.feature_names, own.origin, all.feature_names, all.origin, "features");
    expect_same_words(own.reading, own.origin, all.reading, all.origin);
  }
  if (found.arrays.truth && (names.classes || options.truth == Hdf5Options{}.truth)) {
    if (labels) {
      match_classes(*found.arrays.truth, own, all, !options.names.class_names.empty());
    } else if (own.target_names.empty()) {  // one column a class
      match_columns(*found.arrays.truth, own.class_names, own.origin, all.class_names, all.origin, "classes");
    } else {
      match_columns(*found.arrays.truth, own.target_names, own.origin, all.target_names, all.origin, "targets");
    }
  }
  const auto arranged = [](const RowArray& array) { return array.parts.back().arrangement.moves(); };
  if (arranged(found.arrays.features)) found.notes.push_back(own.origin + ": its columns take the order of " + all.origin);
  if (found.arrays.truth && arranged(*found.arrays.truth))
    found.notes.push_back(
        fmt::format("{}: its {} the order of {}", own.origin, labels ? "class indices take" : "targets take", all.origin));
}

/// What the features consist of in a file.
std::vector<std::string> feature_names(const Hdf5File& file, const std::string& group, const Hdf5Options& options) {
  if (!options.variables.empty()) return options.variables;
  const bool frame = options.features == Hdf5Options{}.features && !file.exists(full_name(group, options.features));
  std::vector<std::string> columns = frame ? frame_columns(file, group) : std::vector<std::string>{};
  const bool weighted = options.weight != Hdf5Options{}.weight;
  std::erase_if(columns, [&](const std::string& name) {
    return name == options.truth || (weighted && name == options.weight) ||
           std::find(options.not_features.begin(), options.not_features.end(), name) != options.not_features.end();
  });
  return columns.empty() ? std::vector<std::string>{options.features} : columns;
}

/// Several data sets name the columns of the features that were appended last.
bool name_variables(const RowArray& features, const std::vector<std::string>& variables, DataNames& names) {
  if (variables.size() < 2) return false;
  std::vector<std::string> columns;
  for (const RowSource& source : features.parts.back().sources) columns.insert(columns.end(), source.names.begin(), source.names.end());
  if (static_cast<std::int64_t>(columns.size()) != features.width) return false;
  std::vector<std::string> sorted = columns;
  std::sort(sorted.begin(), sorted.end());
  if (std::adjacent_find(sorted.begin(), sorted.end()) != sorted.end()) return false;  // /a/t and /b/t: the order is all there is
  names.feature_names = std::move(columns);
  return true;
}

/// Labels that were appended last: from which one they count, and whether they name their classes.
bool name_labels(RowArray& truth, const Hdf5Options& options) {
  RowArray::Part& part = truth.parts.back();
  part.arrangement.first_label = options.first_label;
  const bool own = !part.info.members.empty() || part.info.text;
  const bool countable = truth.width == 1 && truth.type != ElementType::f16 && !own;
  if (options.first_label != 0 && !countable) {
    throw Error(fmt::format("{}: data.first_label {} goes with one number a row, found {}", place(part), options.first_label,
                            own ? "names of classes" : "shape " + shape_text(part.info.shape)),
                kUsage);
  }
  return own;
}

}  // namespace

std::shared_ptr<const Hdf5Dataset::Arrays> describe_arrays(const std::string& pattern, const std::string& group,
                                                           const Hdf5Options& options) {
  auto found = std::make_shared<Hdf5Dataset::Arrays>();
  found->pattern = pattern;
  found->names = options.names;
  const std::size_t start = group.find_first_not_of('/'), end = group.find_last_not_of('/');
  if (start != std::string::npos) found->group.append("/").append(group, start, end - start + 1);
  found->files = matching_files(pattern);
  for (const std::string& path : found->files) {
    const Hdf5File file = Hdf5File::open(path);
    RowArrays& arrays = found->arrays;
    DataNames names = read_names(file);
    const std::vector<std::string> features = feature_names(file, found->group, options);
    append(arrays.features, find_part(file, found->group, features, options.transpose, !options.variables.empty()), true);
    OwnNames own{.features = name_variables(arrays.features, features, names)};
    if (!options.truth.empty()) {
      append_beside(arrays.truth, arrays.features, find_part(file, found->group, {options.truth}, options.transpose, false, &names));
      own.classes = name_labels(*arrays.truth, options);
    }
    const bool first = path == found->files.front();
    const std::string weight = full_name(found->group, options.weight);
    const bool feature =
        std::any_of(features.begin(), features.end(), [&](const std::string& name) { return full_name(found->group, name) == weight; });
    const bool weighted = !options.weight.empty() &&
                          (options.weight != Hdf5Options{}.weight || (!first && arrays.weight) || (file.exists(weight) && !feature));
    if (weighted && !first && !arrays.weight) {
      throw Error(path + ": has sample weights ('" + options.weight + "'), but " + found->files.front() +
                      " has none; give all files weights or none",
                  kUsage);
    }
    if (weighted) append_beside(arrays.weight, arrays.features, find_part(file, found->group, {options.weight}, options.transpose, false));
    match_names(*found, names, options, own);
  }
  const ArrayInfo& info = found->arrays.features.parts.front().info;
  found->sample_shape.assign(info.shape.begin() + 1, info.shape.end());
  if (found->arrays.weight && found->arrays.weight->width != 1) {
    throw Error(place(found->arrays.weight->parts.front()) + ": expected one weight per row, found shape " +
                    shape_text(found->arrays.weight->parts.front().info.shape),
                kUsage);
  }
  if (found->arrays.features.rows == 0) throw Error(place(found->arrays.features.parts.front()) + ": has no rows", kUsage);
  return found;
}

namespace {

/// Of rows [first, last) of a data set: all were written, and the first can be read through the filters there are. Without filters it can.
void expect_readable(const Hdf5File& file, const ArrayInfo& info, std::int64_t first, std::int64_t last) {
  if (info.text) return;  // all strings were read
  expect_written(file, info, first, last);
  if (info.filters.empty()) return;
  std::vector<std::byte> row(static_cast<std::size_t>(info.row_bytes()));
  file.read_raw(info.name, first, first + 1, row);
}

void expect_readable(const Hdf5File& file, const RowArray::Part& part, std::int64_t first, std::int64_t last) {
  if (part.sources.empty()) return expect_readable(file, part.info, first, last);
  for (const RowSource& source : part.sources) {
    if (source.reversed)  // every first number belongs to some of the rows
      expect_readable(file, source.info, 0, source.info.rows());
    else
      expect_readable(file, source.info, first, last);
  }
}

}  // namespace

void expect_readable(const RowArrays& arrays, RowRange rows) {
  for (std::size_t p = 0; p < arrays.features.parts.size(); ++p) {
    const RowArray::Part& part = arrays.features.parts[p];
    const std::int64_t first = std::max(rows.first - part.first, std::int64_t{0}),
                       last = std::min(rows.last - part.first, part.info.rows());
    if (first >= last) continue;
    const Hdf5File file = Hdf5File::open(part.path);
    expect_readable(file, part, first, last);
    if (arrays.truth) expect_readable(file, arrays.truth->parts[p], first, last);
    if (arrays.weight) expect_readable(file, arrays.weight->parts[p], first, last);
  }
}

}  // namespace lockstep
