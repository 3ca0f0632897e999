#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/compile/losses.h"
#include "core/compile/metrics.h"

namespace lockstep {

/// Loss and metrics of grains, as (sum, count) pairs in double per grain. Grains do not depend on the number of ranks, and total() adds
/// them in their order, so every N sees the same bits.
class Scorer {
 public:
  /// fused: see loss_rows.
  Scorer(LossSpec loss, bool fused, std::vector<MetricSpec> metrics, std::int64_t grains);

  /// One grain's rows; adds to pair `grain`. `rows.value` is scratch. `present` (rows): 1 for a row of the data, 0 for padding.
  void add(std::int64_t grain, const LossRows& rows, const float* present);
  /// Adds a penalty of a grain's rows to their loss.
  void add_penalty(std::int64_t grain, double penalty);
  /// What was added so far, all grains in order: loss first, then the metrics. Loss counts rows.
  std::vector<Mean> total() const;
  /// Starts from these pairs of all ranks, of which grains [first, last) are this rank's to go on with; from nothing if there are none.
  /// Pairs of another number of grains are kept as one sum, which then rounds otherwise; a size that fits no number of grains is an Error
  /// (kUsage).
  void restore(std::span<const double> pairs, std::int64_t first, std::int64_t last);
  /// Whether the losses added to these grains are.
  bool finite(std::int64_t first_grain, std::int64_t last_grain) const;

  /// All pairs, to be summed over ranks (a grain is nonzero on one rank only).
  std::span<double> pairs() { return pairs_; }
  /// Values as shown, loss first; `penalty` is added to the loss.
  std::vector<double> results(const std::vector<Mean>& totals, double penalty) const;
  const std::vector<MetricSpec>& metrics() const { return metrics_; }

 private:
  LossSpec loss_;
  bool fused_;
  std::vector<MetricSpec> metrics_;
  std::vector<double> pairs_;  // (grains, 1 + metrics, 2): sum, count
};

}  // namespace lockstep
