#include "core/compile/scorer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cluster/error.h"

namespace lockstep {

Scorer::Scorer(LossSpec loss, bool fused, std::vector<MetricSpec> metrics, std::int64_t grains)
    : loss_(loss), fused_(fused), metrics_(std::move(metrics)), pairs_(static_cast<std::size_t>(grains) * (1 + metrics_.size()) * 2) {}

void Scorer::add(std::int64_t grain, const LossRows& rows, const float* present) {
  loss_rows(loss_, fused_, rows);
  double* pair = &pairs_[static_cast<std::size_t>(grain) * (1 + metrics_.size()) * 2];
  for (std::int64_t r = 0; r < rows.rows; ++r) {
    pair[0] += static_cast<double>(rows.weight[r]) * rows.value[r];
    pair[1] += static_cast<double>(present[r]);
  }
  const float* output = fused_ ? rows.output : rows.input;
  for (const MetricSpec& metric : metrics_) {
    pair += 2;
    const Mean mean = metric_rows(metric, {rows.truth, output, present, rows.rows, rows.width, rows.truth_width});
    pair[0] += mean.sum;
    pair[1] += mean.count;
  }
}

void Scorer::add_penalty(std::int64_t grain, double penalty) {
  pairs_[static_cast<std::size_t>(grain) * (1 + metrics_.size()) * 2] += penalty;
}

std::vector<Mean> Scorer::total() const {
  std::vector<Mean> totals(1 + metrics_.size());
  for (std::size_t i = 0; i < pairs_.size() / 2; ++i) {
    Mean& total = totals[i % totals.size()];
    total.sum += pairs_[2 * i];
    total.count += pairs_[2 * i + 1];
  }
  return totals;
}

void Scorer::restore(std::span<const double> pairs, std::int64_t first, std::int64_t last) {
  const std::size_t width = (1 + metrics_.size()) * 2;
  std::fill(pairs_.begin(), pairs_.end(), 0.0);
  if (pairs.size() == pairs_.size()) {
    const auto from = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(first) * width),
               to = static_cast<std::ptrdiff_t>(static_cast<std::size_t>(last) * width);
    std::copy(pairs.begin() + from, pairs.begin() + to, pairs_.begin() + from);
  } else if (pairs.size() % width != 0) {
    throw Error("the sums of the epoch's steps so far are " + std::to_string(pairs.size()) + " numbers, which are no pairs of loss and " +
                    std::to_string(metrics_.size()) + " metrics; go on in the middle of an epoch with the metrics it began with",
                kUsage);
  } else if (first == 0 && last > 0) {
    for (std::size_t i = 0; i < pairs.size(); ++i) pairs_[i % width] += pairs[i];
  }
}

bool Scorer::finite(std::int64_t first_grain, std::int64_t last_grain) const {
  const auto pairs = static_cast<std::ptrdiff_t>(2 * (1 + metrics_.size()));
  for (std::int64_t grain = first_grain; grain < last_grain; ++grain) {
    if (!std::isfinite(pairs_[static_cast<std::size_t>(grain * pairs)])) return false;
  }
  return true;
}

std::vector<double> Scorer::results(const std::vector<Mean>& totals, double penalty) const {
  std::vector<double> results{(totals[0].count > 0 ? totals[0].sum / totals[0].count : 0) + penalty};
  for (std::size_t m = 0; m < metrics_.size(); ++m) results.push_back(metric_result(metrics_[m], totals[1 + m]));
  return results;
}

}  // namespace lockstep
