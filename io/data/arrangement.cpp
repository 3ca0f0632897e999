#include "io/data/arrangement.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <type_traits>
#include <unordered_map>

#include "cluster/error.h"
#include "io/data/name_list.h"

namespace lockstep {
namespace {

/// Index of each name. Names that occur twice cannot be told apart.
std::unordered_map<std::string, std::int64_t> indices(const std::vector<std::string>& names, const std::string& in,
                                                      const std::string& what) {
  std::unordered_map<std::string, std::int64_t> index;
  for (const std::string& name : names) {
    if (index.emplace(name, static_cast<std::int64_t>(index.size())).second) continue;
    throw Error(
        fmt::format("{}: two of its {} are called '{}', so they cannot be matched with those of other data; rename one", in, what, name),
        kUsage);
  }
  return index;
}

std::vector<std::string> without(const std::vector<std::string>& names, const std::unordered_map<std::string, std::int64_t>& others) {
  std::vector<std::string> rest;
  std::copy_if(names.begin(), names.end(), std::back_inserter(rest), [&](const std::string& name) { return !others.contains(name); });
  return rest;
}

template <class Unit>
void move_columns(const std::vector<std::int64_t>& columns, std::int64_t rows, std::byte* data) {
  std::vector<Unit> row(columns.size());
  auto* values = reinterpret_cast<Unit*>(data);
  for (std::int64_t r = 0; r < rows; ++r, values += columns.size()) {
    std::copy_n(values, columns.size(), row.begin());
    for (std::size_t i = 0; i < columns.size(); ++i) values[i] = row[static_cast<std::size_t>(columns[i])];
  }
}

template <class T>
std::int64_t change_classes(const std::vector<std::int64_t>& classes, std::int64_t rows, T* values) {
  for (std::int64_t r = 0; r < rows; ++r) {
    const auto value = static_cast<double>(values[r]);
    if (!(value >= 0 && value < static_cast<double>(classes.size()) && value == std::floor(value))) continue;
    const std::int64_t index = classes[static_cast<std::size_t>(value)];
    if (index < 0) return r;
    values[r] = static_cast<T>(index);
  }
  return -1;
}

/// Calls `function` for the elements in their own type.
template <class Function>
std::int64_t with_elements(ElementType type, std::byte* data, const Function& function) {
  switch (type) {
    case ElementType::u8: return function(reinterpret_cast<std::uint8_t*>(data));
    case ElementType::i8: return function(reinterpret_cast<std::int8_t*>(data));
    case ElementType::u16: return function(reinterpret_cast<std::uint16_t*>(data));
    case ElementType::i16: return function(reinterpret_cast<std::int16_t*>(data));
    case ElementType::u32: return function(reinterpret_cast<std::uint32_t*>(data));
    case ElementType::i32: return function(reinterpret_cast<std::int32_t*>(data));
    case ElementType::u64: return function(reinterpret_cast<std::uint64_t*>(data));
    case ElementType::i64: return function(reinterpret_cast<std::int64_t*>(data));
    case ElementType::f32: return function(reinterpret_cast<float*>(data));
    case ElementType::f64: return function(reinterpret_cast<double*>(data));
    case ElementType::f16:
    case ElementType::other: break;  // describe_arrays() refuses them
  }
  return -1;
}

}  // namespace

bool Arrangement::moves() const {
  for (std::size_t c = 0; c < classes.size(); ++c) {
    if (classes[c] >= 0 && classes[c] != static_cast<std::int64_t>(c)) return true;
  }
  return !columns.empty();
}

std::int64_t Arrangement::subtract_first_label(ElementType type, std::int64_t rows, std::byte* data) const {
  if (first_label == 0) return -1;
  return with_elements(type, data, [&](auto* values) -> std::int64_t {
    using T = std::remove_pointer_t<decltype(values)>;
    for (std::int64_t row = 0; row < rows; ++row) {
      if (static_cast<double>(values[row]) < static_cast<double>(first_label)) return row;
      values[row] = static_cast<T>(values[row] - static_cast<T>(first_label));
    }
    return -1;
  });
}

std::int64_t Arrangement::apply(ElementType type, std::int64_t rows, std::byte* data) const {
  if (!classes.empty()) return with_elements(type, data, [&](auto* values) { return change_classes(classes, rows, values); });
  if (columns.empty()) return -1;
  switch (type_bytes(type)) {
    case 1: move_columns<std::uint8_t>(columns, rows, data); break;
    case 2: move_columns<std::uint16_t>(columns, rows, data); break;
    case 4: move_columns<std::uint32_t>(columns, rows, data); break;
    default: move_columns<std::uint64_t>(columns, rows, data);
  }
  return -1;
}

std::vector<std::int64_t> arrange_columns(const std::vector<std::string>& found, const std::string& found_in,
                                          const std::vector<std::string>& wanted, const std::string& wanted_by, const std::string& what) {
  if (found == wanted) return {};
  const auto places = indices(found, found_in, what), names = indices(wanted, wanted_by, what);
  const std::vector<std::string> missing = without(wanted, places), unknown = without(found, names);
  if (!missing.empty() || !unknown.empty()) {
    throw Error(
        fmt::format("{}: expected the {} of {}, which are {}; found {}{}{}", found_in, what, wanted_by, name_list(wanted), name_list(found),
                    missing.empty() ? "" : "; missing: " + name_list(missing), unknown.empty() ? "" : "; unknown: " + name_list(unknown)),
        kUsage);
  }
  std::vector<std::int64_t> columns;
  for (const std::string& name : wanted) columns.push_back(places.at(name));
  return columns;
}

std::vector<std::int64_t> arrange_classes(const std::vector<std::string>& found, const std::string& found_in,
                                          const std::vector<std::string>& wanted, const std::string& wanted_by) {
  if (found == wanted) return {};
  indices(found, found_in, "classes");
  const auto places = indices(wanted, wanted_by, "classes");
  const std::vector<std::string> unknown = without(found, places);
  if (!unknown.empty()) {
    throw Error(fmt::format("{}: expected classes of {}, which are {}; found {}; unknown: {}", found_in, wanted_by, name_list(wanted),
                            name_list(found), name_list(unknown)),
                kUsage);
  }
  std::vector<std::int64_t> classes;
  for (const std::string& name : found) classes.push_back(places.at(name));
  classes.resize(std::max(found.size(), wanted.size()), -1);
  return classes;
}

}  // namespace lockstep
