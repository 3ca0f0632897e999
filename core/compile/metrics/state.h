#pragma once
#include <cstdint>
#include <span>

namespace lockstep {

// What a metric adds up. Its state is a fixed number of doubles that add up over rows, batches and ranks.

/// Numbers per row of the model's output and of the truth.
struct MetricShape {
  std::int64_t output_width = 0, truth_width = 0;
  bool logits = false;  ///< of the output
};

/// The length of a metric's state.
struct MetricSize {
  std::int64_t sums = 0;    ///< doubles that round: kept for every grain, added in the order of the grains
  std::int64_t counts = 0;  ///< doubles of ExactCounts: the same bits in whatever order they are added
};

/// Where a metric adds its rows.
struct MetricState {
  std::span<double> sums, counts;
};

/// The rows that a metric is given. All matrices row-major.
struct MetricRows {
  const float* truth;    ///< (rows, truth_width)
  const float* output;   ///< (rows, width)
  const float* present;  ///< (rows): 1 for a row of the data, 0 for padding
  const float* weight;   ///< (rows): `present` again for Keras' `metrics=`, the rows' weights for `weighted_metrics=`
  double* value;         ///< (rows): scratch
  std::int64_t rows = 0, width = 0, truth_width = 0;
};

/// Counts of rows or of their weights, which add up exactly: a weight is cut into a multiple of 2^-24 and a rest, a multiple of 2^-50.
/// Exact for 2^27 rows whose weights sum to at most 2^29; a weight below 1e-8 loses digits.
class ExactCounts {
 public:
  /// Doubles that `counts` of them need.
  static constexpr std::int64_t length(std::int64_t counts) { return 2 * counts; }

  explicit ExactCounts(std::span<double> doubles) : doubles_(doubles) {}
  void add(std::int64_t i, double amount);
  static double count(std::span<const double> doubles, std::int64_t i);

 private:
  std::span<double> doubles_;
};

}  // namespace lockstep
