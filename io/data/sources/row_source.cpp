#include "io/data/sources/row_source.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>

#include "cluster/error.h"
#include "io/data/name_list.h"
#include "io/data/row_convert.h"

namespace lockstep {
namespace {

constexpr std::int64_t kBlockBytes = std::int64_t{16} << 20;  // of a data set that are read at a time

/// Rows of one data set in its own type. Sources that lie side by side in one data set read it once.
class RawRows {
 public:
  RawRows(const Hdf5File& file, std::int64_t lo, std::int64_t hi) : file_(file), lo_(lo), hi_(hi) {}

  const std::vector<std::byte>& of(const RowSource& source) {
    if (source.info.name == name_) return bytes_;
    bytes_.resize(static_cast<std::size_t>((hi_ - lo_) * source.row_elements() * type_bytes(source.info.type)));
    if (source.reversed)
      file_.read_reversed(source.info.name, lo_, hi_, bytes_);
    else
      file_.read_raw(source.info.name, lo_, hi_, bytes_);
    name_ = source.info.name;
    return bytes_;
  }

 private:
  const Hdf5File& file_;
  const std::int64_t lo_, hi_;
  std::string name_;
  std::vector<std::byte> bytes_;
};

/// Rows of the result, of which each source writes some columns.
struct Target {
  ElementType type;
  std::int64_t width;  // elements of a row
  std::byte* bytes;

  std::byte* at(std::int64_t row, std::int64_t column) const { return bytes + (row * width + column) * type_bytes(type); }
};

[[noreturn]] void refuse(const Hdf5File& file, const RowSource& source, std::int64_t row, const std::string& what) {
  throw Error(fmt::format("{}: data set '{}', row {}: {}", file.path(), source.info.name, row, what), kUsage);
}

template <class Classes>
std::string names_of(const Classes& classes) {
  std::vector<std::string> names;
  for (const auto& [name, index] : classes) {
    if constexpr (std::is_same_v<std::decay_t<decltype(name)>, std::string>)
      names.push_back(name);
    else
      names.push_back(std::to_string(name));
  }
  return name_list(names);
}

void put_class(std::int32_t index, const Target& target, std::int64_t row, std::int64_t column) {
  std::memcpy(target.at(row, column), &index, sizeof(index));
}

void read_words(const Hdf5File& file, const RowSource& source, std::int64_t lo, std::int64_t hi, const Target& target,
                std::int64_t column) {
  const std::vector<std::string> words = file.read_strings(source.info.name, lo, hi);
  for (std::int64_t row = lo; row < hi; ++row) {
    const std::string& word = words[static_cast<std::size_t>(row - lo)];
    const auto found = source.words.find(word);
    if (found == source.words.end()) refuse(file, source, row, fmt::format("'{}' is none of its classes {}", word, names_of(source.words)));
    put_class(found->second, target, row - lo, column);
  }
}

void read_codes(const Hdf5File& file, const RowSource& source, std::int64_t lo, std::int64_t hi, const Target& target,
                std::int64_t column) {
  std::vector<std::int64_t> values(static_cast<std::size_t>(hi - lo));
  file.read_rows<std::int64_t>(source.info.name, lo, hi, values);
  for (std::int64_t row = lo; row < hi; ++row) {
    const std::int64_t value = values[static_cast<std::size_t>(row - lo)];
    const auto found = source.codes.find(value);
    if (found == source.codes.end())
      refuse(file, source, row, fmt::format("{} is no value of its enumeration, which are {}", value, names_of(source.codes)));
    put_class(found->second, target, row - lo, column);
  }
}

/// The columns of a row that a source takes, as doubles, and how they are stored.
void convert_row(const RowSource& source, const std::byte* in, std::vector<double>& values, const Target& target, std::byte* out) {
  to_double(source.info.type, in, values.data(), source.count);
  for (std::int64_t i = 0; i < source.count; ++i) {
    double value = values[static_cast<std::size_t>(i)];
    const bool missing = std::find(source.missing.begin(), source.missing.end(), value) != source.missing.end();
    value = missing ? std::numeric_limits<double>::quiet_NaN() : value * source.scale + source.offset;
    if (target.type == ElementType::f32)
      reinterpret_cast<float*>(out)[i] = static_cast<float>(value);
    else
      reinterpret_cast<double*>(out)[i] = value;
  }
}

void read_numbers(RawRows& raw, const RowSource& source, std::int64_t rows, const Target& target, std::int64_t column) {
  const std::vector<std::byte>& bytes = raw.of(source);
  const std::int64_t element = type_bytes(source.info.type), stride = source.row_elements() * element;
  const std::byte* in = bytes.data() + source.first * element;
  std::vector<double> values(static_cast<std::size_t>(source.count));
  for (std::int64_t row = 0; row < rows; ++row, in += stride) {
    if (source.info.type == target.type && !source.converted())
      std::memcpy(target.at(row, column), in, static_cast<std::size_t>(source.count * element));
    else
      convert_row(source, in, values, target, target.at(row, column));
  }
}

/// Rows that are read at a time: whole chunks, so that none is decoded twice.
std::int64_t block_of(const std::vector<RowSource>& sources) {
  std::int64_t rows = std::numeric_limits<std::int64_t>::max(), chunk = 1;
  for (const RowSource& source : sources) {
    const std::int64_t bytes = std::max<std::int64_t>(1, source.row_elements() * std::max<std::int64_t>(1, type_bytes(source.info.type)));
    rows = std::min(rows, std::max<std::int64_t>(1, kBlockBytes / bytes));
    if (!source.info.chunk.empty()) chunk = std::max(chunk, source.reversed ? source.info.chunk.back() : source.info.chunk.front());
  }
  return std::max<std::int64_t>(1, rows / chunk) * chunk;
}

}  // namespace

std::int64_t RowSource::row_elements() const {
  std::int64_t product = 1;
  for (const std::int64_t axis : row_shape()) product *= axis;
  return product;
}

Shape RowSource::row_shape() const {
  if (info.shape.empty()) return {};
  if (!reversed) return {info.shape.begin() + 1, info.shape.end()};
  return {info.shape.rbegin() + 1, info.shape.rend()};
}

ElementType RowSource::type() const {
  if (!words.empty() || !codes.empty()) return ElementType::i32;
  const bool exact = type_bytes(info.type) <= 2 || info.type == ElementType::f32;
  return converted() ? exact ? ElementType::f32 : ElementType::f64 : info.type;
}

ElementType common_type(const std::vector<RowSource>& sources) {
  const ElementType first = sources.front().type();
  bool same = true, exact = true;
  for (const RowSource& source : sources) {
    same = same && source.type() == first;
    exact = exact && (type_bytes(source.type()) <= 2 || source.type() == ElementType::f32);
  }
  return same ? first : exact ? ElementType::f32 : ElementType::f64;
}

void read_sources(const Hdf5File& file, const std::vector<RowSource>& sources, ElementType type, std::int64_t lo, std::int64_t hi,
                  std::byte* out) {
  std::int64_t width = 0;
  for (const RowSource& source : sources) width += source.count;
  const std::int64_t block = block_of(sources);
  for (std::int64_t at = lo; at < hi;) {
    const std::int64_t end = std::min(hi, (at / block + 1) * block);
    const Target target{type, width, out + (at - lo) * width * type_bytes(type)};
    RawRows raw(file, at, end);
    std::int64_t column = 0;
    for (const RowSource& source : sources) {
      if (!source.words.empty())
        read_words(file, source, at, end, target, column);
      else if (!source.codes.empty())
        read_codes(file, source, at, end, target, column);
      else
        read_numbers(raw, source, end - at, target, column);
      column += source.count;
    }
    at = end;
  }
}

}  // namespace lockstep
