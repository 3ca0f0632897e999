#pragma once
#include <cstddef>
#include <string>
#include <vector>

#include "cluster/collectives/allreduce.h"

namespace lockstep {

/// Which algorithm sums buffers of which size.
class AllreduceTable {
 public:
  struct Row {
    std::size_t bytes;  ///< for buffers up to so many; the last row is for all larger ones as well
    AllreduceAlgorithm algorithm;
  };
  /// Seconds that an algorithm took for a number of buffer sizes.
  struct Measured {
    AllreduceAlgorithm algorithm;
    std::vector<double> seconds;
  };

  AllreduceTable() = default;
  /// The fastest for every size; between and beyond the sizes measured (bytes, ascending), by straight lines.
  AllreduceTable(const std::vector<std::size_t>& sizes, const std::vector<Measured>& measured);
  explicit AllreduceTable(AllreduceAlgorithm only) : rows_{{0, only}} {}

  bool empty() const { return rows_.empty(); }
  const std::vector<Row>& rows() const { return rows_; }
  AllreduceAlgorithm at(std::size_t bytes) const;
  /// Bytes that a rank sends by messages, on average, for each byte of a buffer of so many. An empty table: those of a ring.
  double sent(std::size_t bytes, int ranks) const;
  /// "recursive-doubling to 32 KB, ring above"
  std::string text() const;

 private:
  std::vector<Row> rows_;
};

/// Tries the algorithms on a few sizes and makes the table of what they took, the same on all ranks (rank 0's). On one host `shared` at
/// once, which has not been seen to lose at any size. Between hosts within 0.3 s where a barrier is not slow itself: larger sizes are left
/// out when the time is up. Collective.
AllreduceTable measure_allreduce(const World& world);

}  // namespace lockstep
