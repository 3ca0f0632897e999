#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "io/row_digest.h"

namespace lockstep {

/// Sees that rows which are read in every epoch are what they were in the epoch before, whatever the times of their files say. Keeps a digest
/// of each file, no rows.
class RereadCheck {
 public:
  /// `array`: whose files are named; it outlives this.
  explicit RereadCheck(const RowArray& array) : array_(array), now_(array.parts.size()), before_(array.parts.size()) {}

  void begin();  ///< of a pass over rows
  /// Slots 0, 1, ... of the store hold these rows (ascending), read just now.
  void add(const RowStore& store, std::span<const std::int64_t> rows);
  /// Of the pass. Error if it has read the same rows of a file as the one before and found other numbers.
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
