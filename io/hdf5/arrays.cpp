#include "io/hdf5/arrays.h"

#include <fmt/format.h>
#include <glob.h>

#include <algorithm>

#include "cluster/error.h"
#include "io/hdf5/written.h"

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

/// The end of a message about a data set that is not there.
std::string what_there_is(const Hdf5File& file) {
  const std::vector<std::string> names = file.datasets();
  return names.empty() ? "the file has no data sets" : fmt::format("the file has: {}", fmt::join(names, ", "));
}

RowArray::Part find_part(const Hdf5File& file, const std::string& group, const std::string& name) {
  if (!group.empty() && !file.exists(group)) {
    throw Error(fmt::format("{}: there is no group '{}'; {}", file.path(), group, what_there_is(file)), kUsage);
  }
  const std::string full = group + "/" + name;
  if (!file.exists(full)) throw Error(fmt::format("{}: there is no data set '{}'; {}", file.path(), full, what_there_is(file)), kUsage);
  return {file.path(), file.info(full), 0, FileStamp::of(file.path())};
}

void check_part(const RowArray::Part& part, bool features) {
  const ArrayInfo& info = part.info;
  if (info.type == ElementType::other) {
    throw Error(place(part) + ": expected integers or floats (float16, float32, float64), found another type; convert it to one of these",
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
    throw Error(fmt::format("{}: expected {} rows as in '{}', found {}", place(part), rows.info.rows(), rows.info.name, part.info.rows()),
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
  if (all.class_names.empty()) all.class_names = own.class_names;
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

/// Brings the file that was appended last into the order of the names. They are those of /x and /y, no other data sets.
void match_names(Hdf5Dataset::Arrays& found, const DataNames& own, const Hdf5Options& options) {
  DataNames& all = found.names;
  if (all.origin.empty()) all.origin = own.origin;
  if (all.feature_names.empty()) all.feature_names = own.feature_names;
  if (all.target_names.empty()) all.target_names = own.target_names;
  if (all.description.empty()) all.description = own.description;
  const bool labels = found.arrays.truth && found.arrays.truth->width == 1 && !own.class_names.empty();
  if (options.features == Hdf5Options{}.features) {
    match_columns(found.arrays.features, own.feature_names, own.origin, all.feature_names, all.origin, "features");
  }
  if (found.arrays.truth && options.truth == Hdf5Options{}.truth) {
    if (labels) {
      match_classes(*found.arrays.truth, own, all, !options.names.class_names.empty());
    } else if (own.target_names.empty()) {  // one column a class
      match_columns(*found.arrays.truth, own.class_names, own.origin, all.class_names, all.origin, "classes");
    } else {
      match_columns(*found.arrays.truth, own.target_names, own.origin, all.target_names, all.origin, "targets");
    }
  }
  if (all.class_names.empty()) all.class_names = own.class_names;
  const auto arranged = [](const RowArray& array) { return array.parts.back().arrangement.moves(); };
  if (arranged(found.arrays.features)) found.notes.push_back(own.origin + ": its columns take the order of " + all.origin);
  if (found.arrays.truth && arranged(*found.arrays.truth))
    found.notes.push_back(
        fmt::format("{}: its {} the order of {}", own.origin, labels ? "class indices take" : "targets take", all.origin));
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
    append(arrays.features, find_part(file, found->group, options.features), true);
    if (!options.truth.empty()) append_beside(arrays.truth, arrays.features, find_part(file, found->group, options.truth));
    const bool first = path == found->files.front();
    const bool weighted = !options.weight.empty() && (options.weight != Hdf5Options{}.weight || (!first && arrays.weight) ||
                                                      file.exists(found->group + "/" + options.weight));
    if (weighted && !first && !arrays.weight) {
      throw Error(path + ": has sample weights ('" + options.weight + "'), but " + found->files.front() +
                      " has none; give all files weights or none",
                  kUsage);
    }
    if (weighted) append_beside(arrays.weight, arrays.features, find_part(file, found->group, options.weight));
    match_names(*found, read_names(file), options);
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

/// Of rows [first, last): all were written, and the first can be read through the filters there are. Without filters it can.
void expect_readable(const Hdf5File& file, const ArrayInfo& info, std::int64_t first, std::int64_t last) {
  expect_written(file, info, first, last);
  if (info.filters.empty()) return;
  std::vector<std::byte> row(static_cast<std::size_t>(info.row_bytes()));
  file.read_raw(info.name, first, first + 1, row);
}

}  // namespace

void expect_readable(const RowArrays& arrays, RowRange rows) {
  for (std::size_t p = 0; p < arrays.features.parts.size(); ++p) {
    const RowArray::Part& part = arrays.features.parts[p];
    const std::int64_t first = std::max(rows.first - part.first, std::int64_t{0}),
                       last = std::min(rows.last - part.first, part.info.rows());
    if (first >= last) continue;
    const Hdf5File file = Hdf5File::open(part.path);
    expect_readable(file, part.info, first, last);
    if (arrays.truth) expect_readable(file, arrays.truth->parts[p].info, first, last);
    if (arrays.weight) expect_readable(file, arrays.weight->parts[p].info, first, last);
  }
}

}  // namespace lockstep
