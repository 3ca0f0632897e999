#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/compile/losses/losses.h"
#include "core/compile/metrics/metrics.h"

namespace lockstep {

/// What a Scorer has added up.
struct ScoreSums {
  std::vector<double> grains = {};  ///< (grains, numbers of a grain): sum and count of the loss, then the sums of each metric
  std::vector<double> counts = {};  ///< ExactCounts of each metric
};

/// Loss and metrics of rows. What rounds is kept for each grain: grains do not depend on the number of ranks and are added in their order,
/// so every N sees the same bits. Counts are exact and kept once for each thread.
class Scorer {
 public:
  /// fused: see loss_rows. `metrics` are resolved for rows of `shape`.
  Scorer(LossSpec loss, Reduction reduction, bool fused, std::vector<MetricSpec> metrics, const MetricShape& shape, std::int64_t grains,
         int threads);

  /// Whether the loss of a row depends on the batch that it is in.
  bool by_batch() const { return reduction_ == Reduction::sum || needs_batch(); }
  /// Whether add() needs the sums of the batch, which are those of add_to_batch over its rows.
  bool needs_batch() const { return lockstep::needs_batch(loss_, reduction_); }
  void add_to_batch(const LossRows& rows, const float* present, std::span<double, LossBatch::kSums> sums) const;

  /// Rows of one grain and of one batch; may be called by several threads, each for grains of its own. `rows.value` is scratch,
  /// `rows.scale` is found here. `present` (rows): 1 for a row of the data, 0 for padding.
  void add(std::int64_t grain, LossRows rows, const float* present, const LossBatch& batch);
  /// Adds a penalty of a grain's rows to their loss.
  void add_penalty(std::int64_t grain, double penalty);
  /// What this rank has added so far; to be summed over ranks, as a grain is nonzero on one rank only.
  ScoreSums sums() const;
  /// Starts from these sums of all ranks, of which grains [first, last) are this rank's to go on with; from nothing if there are none.
  /// Sums of another number of grains are kept as one sum, which then rounds otherwise; a size that fits no number of grains is an Error
  /// (kUsage).
  void restore(const ScoreSums& sums, std::int64_t first, std::int64_t last);
  /// Whether the losses added to these grains are.
  bool finite(std::int64_t first_grain, std::int64_t last_grain) const;

  /// Values as shown, loss first; `penalty` is added to the loss.
  std::vector<double> results(const ScoreSums& sums, double penalty) const;
  /// Whether the losses in the sums are finite.
  bool finite(const ScoreSums& sums) const;
  const std::vector<MetricSpec>& metrics() const { return metrics_; }

 private:
  LossSpec loss_;
  Reduction reduction_;
  bool fused_;
  std::vector<MetricSpec> metrics_;
  std::vector<MetricSize> sizes_;
  std::int64_t width_ = 2;         // numbers of a grain
  std::int64_t counts_width_ = 0;  // counts of a thread
  std::vector<double> grains_;     // (grains, width): loss and count of rows, then the metrics' sums
  std::vector<double> counts_;     // (threads, counts width)
};

}  // namespace lockstep
