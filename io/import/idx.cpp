#include "io/import/idx.h"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <set>

#include "cluster/error.h"
#include "io/data/data_file.h"
#include "io/files/file_bytes.h"
#include "io/run/table.h"

namespace lockstep {
namespace {

constexpr int kMaxAxes = 8;

ElementType idx_type(int code, const std::string& name) {
  switch (code) {
    case 0x08: return ElementType::u8;
    case 0x09: return ElementType::i8;
    case 0x0B: return ElementType::i16;
    case 0x0C: return ElementType::i32;
    case 0x0D: return ElementType::f32;
    case 0x0E: return ElementType::f64;
    default: throw Error(fmt::format("{}: not an idx file: unknown element type {:#04x} in its third byte", name, code));
  }
}

std::int64_t big_endian(std::string_view bytes) {
  std::int64_t value = 0;
  for (char c : bytes) value = value * 256 + static_cast<unsigned char>(c);
  return value;
}

template <class T>
std::vector<std::int64_t> integers(const std::vector<std::byte>& bytes) {
  std::vector<T> values(bytes.size() / sizeof(T));
  if (!bytes.empty()) std::memcpy(values.data(), bytes.data(), bytes.size());
  return {values.begin(), values.end()};
}

}  // namespace

IdxArray parse_idx(std::string_view file, const std::string& name) {
  if (file.size() < 4 || file[0] != '\0' || file[1] != '\0') throw Error(name + ": not an idx file: it does not begin with two zero bytes");
  IdxArray array;
  array.type = idx_type(static_cast<unsigned char>(file[2]), name);
  const int axes = static_cast<unsigned char>(file[3]);
  if (axes < 1 || axes > kMaxAxes) throw Error(fmt::format("{}: not an idx file: {} axes, expected 1 to {}", name, axes, kMaxAxes));
  const std::size_t header = 4 + 4 * static_cast<std::size_t>(axes);
  if (file.size() < header) throw Error(fmt::format("{}: cut short: {} bytes do not hold the header of {} axes", name, file.size(), axes));
  std::int64_t expected = type_bytes(array.type);
  for (int axis = 0; axis < axes; ++axis) {
    array.shape.push_back(big_endian(file.substr(4 + 4 * static_cast<std::size_t>(axis), 4)));
    if (__builtin_mul_overflow(expected, array.shape.back(), &expected))
      throw Error(name + ": not an idx file: its axes are beyond any memory");
  }
  const std::string_view body = file.substr(header);
  if (static_cast<std::int64_t>(body.size()) != expected) {
    throw Error(fmt::format("{}: {}: shape ({}) of {} needs {} bytes after the header, found {}", name,
                            static_cast<std::int64_t>(body.size()) < expected ? "cut short" : "trailing bytes",
                            fmt::join(array.shape, ", "), type_name(array.type), expected, body.size()));
  }
  array.bytes.resize(body.size());
  if (!body.empty()) std::memcpy(array.bytes.data(), body.data(), body.size());
  const auto width = type_bytes(array.type);
  for (auto element = array.bytes.begin(); width > 1 && element != array.bytes.end(); element += width)
    std::reverse(element, element + width);
  return array;
}

IdxArray read_idx(const std::string& path) { return parse_idx(read_file_maybe_gzip(path), path); }

std::vector<std::int64_t> idx_labels(const IdxArray& array, std::size_t classes, const std::string& name, std::int64_t first) {
  if (array.shape.size() != 1 || is_floating(array.type)) {
    throw Error(fmt::format("{}: expected labels (one axis of integers), found shape ({}) of {}", name, fmt::join(array.shape, ", "),
                            type_name(array.type)));
  }
  std::vector<std::int64_t> labels = array.type == ElementType::u8    ? integers<std::uint8_t>(array.bytes)
                                     : array.type == ElementType::i8  ? integers<std::int8_t>(array.bytes)
                                     : array.type == ElementType::i16 ? integers<std::int16_t>(array.bytes)
                                                                      : integers<std::int32_t>(array.bytes);
  for (std::size_t row = 0; row < labels.size(); ++row) {
    const auto last = first + static_cast<std::int64_t>(classes) - 1;
    if (labels[row] < first || (classes > 0 && labels[row] > last)) {
      throw Error(fmt::format("{}: label {} of row {} is not one of the classes (expected {} to {}){}", name, labels[row], row, first,
                              classes > 0 ? std::to_string(last) : "any positive number",
                              labels[row] == last + 1 && first == 0 ? "; if the labels begin with 1: --first-label 1" : ""));
    }
    labels[row] -= first;
  }
  return labels;
}

void write_idx(Hdf5File& file, const std::string& split, const NamedIdx& images, const NamedIdx& labels, std::size_t classes,
               std::int64_t first) {
  const std::vector<std::int64_t>& shape = images.array.shape;
  if (shape.size() < 2) {
    const bool swapped = labels.array.shape.size() > 1;
    throw Error(fmt::format("{}: expected images (two axes or more), found shape ({}){}", images.name, fmt::join(shape, ", "),
                            swapped ? fmt::format("; name it after {}: images first, then labels", labels.name) : ""));
  }
  const std::vector<std::int64_t> values = idx_labels(labels.array, classes, labels.name, first);
  if (static_cast<std::int64_t>(values.size()) != shape[0]) {
    throw Error(fmt::format("{} has {} labels, but {} has {} images", labels.name, values.size(), images.name, shape[0]));
  }
  file.write_raw("/" + split + "/x", shape, images.array.type, images.array.bytes);
  write_labels(file, "/" + split + "/y", values);
}

void import_idx(Hdf5File& file, const std::vector<IdxPair>& pairs, const std::vector<std::string>& class_names, std::int64_t first_label) {
  std::set<std::string> splits;
  for (const IdxPair& pair : pairs) {
    if (!splits.insert(pair.split).second) throw Error("the split '" + pair.split + "' is named twice", kUsage);
    const NamedIdx images{read_idx(pair.images), pair.images}, labels{read_idx(pair.labels), pair.labels};
    write_idx(file, pair.split, images, labels, class_names.size(), first_label);
  }
  DataNames names;
  names.class_names = class_names;
  write_names(file, names);
}

}  // namespace lockstep
