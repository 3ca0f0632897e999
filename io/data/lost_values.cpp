#include "io/data/lost_values.h"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstring>

#include "io/hdf5/arrays.h"

namespace lockstep {
namespace {

constexpr std::int64_t kMostRows = 1 << 14, kMostElements = 1 << 18;  // that are looked at, of an array
constexpr std::int64_t kRuns = 16;
constexpr std::int64_t kDecoded = std::int64_t{32} << 20;  // bytes that are decompressed for it, about

bool may_lose(ElementType type) {
  switch (type) {
    case ElementType::u32:
    case ElementType::i32:
    case ElementType::u64:
    case ElementType::i64:
    case ElementType::f64: return true;
    default: return false;
  }
}

/// Rows that are looked at, ascending, within `range`.
std::vector<std::int64_t> sample(const RowArray& array, RowRange range) {
  const std::int64_t wanted = std::clamp<std::int64_t>(kMostElements / array.width, 2, kMostRows);
  const ArrayInfo& info = array.parts.front().info;
  const std::int64_t chunk = info.filters.empty() || info.chunk.empty() ? 0 : info.chunk.front() * array.row_bytes();
  const std::int64_t runs = chunk == 0 ? kRuns : std::clamp<std::int64_t>(kDecoded / chunk, 1, kRuns);
  const std::int64_t run = std::max<std::int64_t>(2, wanted / runs);
  std::vector<std::int64_t> rows;
  for (std::int64_t r = 0; r < runs; ++r) {
    std::int64_t first = range.first + (range.size() * r) / runs;
    if (!rows.empty()) first = std::max(first, rows.back() + 1);
    for (std::int64_t row = first; row < std::min(first + run, range.last); ++row) rows.push_back(row);
  }
  return rows;
}

template <class T>
std::int64_t distinct(std::vector<T>& values) {
  std::sort(values.begin(), values.end());
  return std::unique(values.begin(), values.end()) - values.begin();
}

/// Values of one column: how many become equal.
template <class T>
LostValues look(std::vector<T>& values) {
  LostValues found;
  std::vector<float> floats;
  std::erase_if(values, [](T value) { return !std::isfinite(static_cast<double>(value)); });
  found.values = static_cast<std::int64_t>(values.size());
  if (values.empty()) return found;
  const bool exact = std::all_of(values.begin(), values.end(), [](T value) { return static_cast<T>(static_cast<float>(value)) == value; });
  if (exact) return found;
  const bool whole = std::all_of(values.begin(), values.end(),
                                 [](T value) { return std::floor(static_cast<double>(value)) == static_cast<double>(value); });
  std::transform(values.begin(), values.end(), std::back_inserter(floats), [](T value) { return static_cast<float>(value); });
  found.distinct = distinct(values);
  found.lost = found.distinct - distinct(floats);
  if (!whole && found.lost * 100 < found.distinct) found.lost = 0;
  found.least = static_cast<double>(values.front());
  found.greatest = static_cast<double>(values[static_cast<std::size_t>(found.distinct) - 1]);
  return found;
}

template <class T>
void look_at_columns(const std::vector<std::byte>& bytes, const RowArray& array, const std::vector<std::string>& names,
                     std::vector<LostValues>& lost) {
  const std::size_t width = static_cast<std::size_t>(array.width), rows = bytes.size() / sizeof(T) / width;
  std::vector<T> column(rows);
  for (std::size_t c = 0; c < width; ++c) {
    column.resize(rows);
    for (std::size_t r = 0; r < rows; ++r) std::memcpy(&column[r], bytes.data() + (r * width + c) * sizeof(T), sizeof(T));
    LostValues found = look(column);
    if (found.lost == 0) continue;
    const RowArray::Part& part = array.parts.front();
    found.where = fmt::format("{}: data set '{}'", part.path, part.info.name);
    if (names.size() == width)
      found.where += fmt::format(", column '{}'", names[c]);
    else if (width > 1)
      found.where += fmt::format(", column {}", c);
    lost.push_back(std::move(found));
  }
}

void look_at(const RowArray& array, RowRange range, const std::vector<std::string>& names, std::vector<LostValues>& lost) {
  if (!may_lose(array.type)) return;
  const std::vector<std::int64_t> rows = sample(array, range);
  std::vector<std::byte> bytes(rows.size() * static_cast<std::size_t>(array.row_bytes()));
  RowFile(array).gather(rows, bytes.data());
  switch (array.type) {
    case ElementType::u32: return look_at_columns<std::uint32_t>(bytes, array, names, lost);
    case ElementType::i32: return look_at_columns<std::int32_t>(bytes, array, names, lost);
    case ElementType::u64: return look_at_columns<std::uint64_t>(bytes, array, names, lost);
    case ElementType::i64: return look_at_columns<std::int64_t>(bytes, array, names, lost);
    default: return look_at_columns<double>(bytes, array, names, lost);
  }
}

}  // namespace

std::vector<LostValues> lost_values(const Hdf5Dataset& data) {
  std::vector<LostValues> lost;
  const RowArrays& arrays = data.arrays().arrays;
  look_at(arrays.features, data.range(), data.names().feature_names, lost);
  if (arrays.truth) look_at(*arrays.truth, data.range(), data.names().target_names, lost);
  return lost;
}

std::string lost_text(const LostValues& lost) {
  return fmt::format(
      "{}: {} of {} distinct values become equal to others as float32 ({:.17g} to {:.17g}, {} values looked at); subtract a "
      "fixed value, or leave the column out if it is an id or a time stamp",
      lost.where, lost.lost, lost.distinct, lost.least, lost.greatest, lost.values);
}

}  // namespace lockstep
