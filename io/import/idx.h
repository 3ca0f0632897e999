#pragma once
#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/hdf5/file.h"

namespace lockstep {

/// An array in the idx format of MNIST: bytes 0 0 TYPE AXES, each axis as a big-endian 32-bit number, then the elements, big-endian.
struct IdxArray {
  ElementType type = ElementType::u8;
  std::vector<std::int64_t> shape;
  std::vector<std::byte> bytes;  ///< elements in this machine's order
};

/// Parses a whole file; `name` is for messages. Exactly as many bytes as the header announces, no less, no more.
IdxArray parse_idx(std::string_view file, const std::string& name);
IdxArray read_idx(const std::string& path);  ///< .gz or plain

/// A 1-D integer array as labels: 0 .. classes-1 (any number from 0 if classes is 0), after `first`, the label of class 0, was subtracted.
std::vector<std::int64_t> idx_labels(const IdxArray& array, std::size_t classes, const std::string& name, std::int64_t first = 0);

/// One split from a pair of idx files.
struct IdxPair {
  std::string split;
  std::string images;  ///< path: first axis = rows, two axes or more
  std::string labels;  ///< path: one label per row
};

/// Writes images as /SPLIT/x and labels as /SPLIT/y; the names are for messages. `classes` and `first` as in idx_labels.
struct NamedIdx {
  IdxArray array;
  std::string name;
};
void write_idx(Hdf5File& file, const std::string& split, const NamedIdx& images, const NamedIdx& labels, std::size_t classes,
               std::int64_t first = 0);

/// Writes /SPLIT/x (as in the file) and /SPLIT/y of every pair, and class_names if there are any.
void import_idx(Hdf5File& file, const std::vector<IdxPair>& pairs, const std::vector<std::string>& class_names,
                std::int64_t first_label = 0);

}  // namespace lockstep
