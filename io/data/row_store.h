#pragma once
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "cluster/host/large_memory.h"
#include "core/data/dataset.h"
#include "io/data/row_array.h"
#include "io/data/row_convert.h"

namespace lockstep {

/// Features, truth and weight of a data set, as they lie in files. All have the same number of rows.
struct RowArrays {
  RowArray features;
  std::optional<RowArray> truth, weight;

  std::int64_t row_bytes() const;
};

/// Rows of the three arrays in memory, in their own types: row i is slot i.
class RowStore {
 public:
  RowStore(const RowArrays& arrays, std::int64_t slots);

  /// Copies slots to the target as floats; slot -1 is a row of zeros with weight 0. Allocates nothing.
  void copy(std::span<const std::int64_t> slots, const RowTarget& target) const;

  /// One array's slots. Null pointers where the data set has no such array.
  struct Column {
    Column() = default;
    Column(const RowArray& array, std::int64_t slots);
    std::byte* slot(std::int64_t i) { return bytes.get() + i * row_bytes; }
    std::int64_t width = 0, row_bytes = 0;
    ToFloat to_float = nullptr;
    LargeBytes bytes;
  };
  Column features, truth, weight;
};

/// The open files of the three arrays. A file that changes during a call is an Error that names it.
class RowFiles {
 public:
  explicit RowFiles(const RowArrays& arrays);
  /// Rows [first, last) to the slots from `slot` on.
  void read(std::int64_t first, std::int64_t last, std::int64_t slot, RowStore& store);
  /// Ascending rows to slots 0, 1, ...
  void gather(std::span<const std::int64_t> rows, RowStore& store);

 private:
  void expect_unchanged() const;
  RowFile features_;
  std::optional<RowFile> truth_, weight_;
};

}  // namespace lockstep
