#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "io/data/row_digest.h"

namespace lockstep {

/// Detects rows that have changed since the previous epoch, whatever the times of their files say. Keeps a digest of each file, no rows.
class RereadCheck {
 public:
  /// `array`: the features; names the files in messages; outlives this object.
  explicit RereadCheck(const RowArray& array) : array_(array), now_(array.parts.size()), before_(array.parts.size()) {}

  /// Begins a pass over the rows.
  void begin();
  /// Slots 0, 1, ... of the store hold these rows (ascending), read just now.
  void add(const RowStore& store, std::span<const std::int64_t> rows);
  /// Ends the pass. An Error if it has read the same rows of a file as the pass before and found other numbers.
  void end();

 private:
  struct Pass {
    std::uint64_t rows = 0;  // which they were: the sum of their numbers' hashes
    RowDigest content;
  };
  const RowArray& array_;
  std::vector<Pass> now_, before_;  // of each file
};

}  // namespace lockstep
