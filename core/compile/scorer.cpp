#include "core/compile/scorer.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "cluster/error.h"
#include "core/math/thread_team.h"

namespace lockstep {

Scorer::Scorer(LossSpec loss, Reduction reduction, bool fused, std::vector<MetricSpec> metrics, const MetricShape& shape,
               std::int64_t grains, int threads)
    : loss_(std::move(loss)), reduction_(reduction), fused_(fused), metrics_(std::move(metrics)) {
  for (const MetricSpec& metric : metrics_) {
    const MetricSize size = sizes_.emplace_back(size_of(metric, shape));
    width_ += size.sums;
    counts_width_ += size.counts;
  }
  grains_.resize(static_cast<std::size_t>(grains * width_));
  counts_.resize(static_cast<std::size_t>(std::max(threads, 1) * counts_width_));
}

void Scorer::add_to_batch(const LossRows& rows, const float* present, std::span<double, LossBatch::kSums> sums) const {
  lockstep::add_to_batch(loss_, present, rows, sums);
}

void Scorer::add(std::int64_t grain, LossRows rows, const float* present, const LossBatch& batch) {
  double* sums = &grains_[static_cast<std::size_t>(grain * width_)];
  if (over_batch(loss_)) {
    batch_loss_rows(loss_, reduction_, batch, present, rows);
    for (std::int64_t r = 0; r < rows.rows; ++r) sums[0] += rows.value[r];
  } else {
    const double scale = row_scale(loss_, reduction_, batch), share = by_batch() ? scale * batch.rows : 1;
    rows.scale = static_cast<float>(scale);
    loss_rows(loss_, fused_, rows);
    for (std::int64_t r = 0; r < rows.rows; ++r) sums[0] += share * static_cast<double>(rows.weight[r]) * rows.value[r];
  }
  for (std::int64_t r = 0; r < rows.rows; ++r) sums[1] += static_cast<double>(present[r]);
  sums += 2;
  double* counts = counts_.data() + grain_thread() * counts_width_;
  MetricRows scored{.truth = rows.truth,
                    .output = fused_ ? rows.output : rows.input,
                    .present = present,
                    .weight = present,
                    .value = rows.value,
                    .rows = rows.rows,
                    .width = rows.width,
                    .truth_width = rows.truth_width};
  for (std::size_t m = 0; m < metrics_.size(); ++m) {
    const auto [own_sums, own_counts] = sizes_[m];
    scored.weight = metrics_[m].weighted ? rows.weight : present;
    add_rows(metrics_[m], scored, {{sums, static_cast<std::size_t>(own_sums)}, {counts, static_cast<std::size_t>(own_counts)}});
    sums += own_sums;
    counts += own_counts;
  }
}

void Scorer::add_penalty(std::int64_t grain, double penalty) { grains_[static_cast<std::size_t>(grain * width_)] += penalty; }

ScoreSums Scorer::sums() const {
  ScoreSums sums{grains_, std::vector<double>(static_cast<std::size_t>(counts_width_))};
  for (std::size_t i = 0; i < counts_.size(); ++i) sums.counts[i % sums.counts.size()] += counts_[i];
  return sums;
}

void Scorer::restore(const ScoreSums& sums, std::int64_t first, std::int64_t last) {
  const auto width = static_cast<std::size_t>(width_);
  const std::vector<double>& grains = sums.grains;
  std::fill(grains_.begin(), grains_.end(), 0.0);
  std::fill(counts_.begin(), counts_.end(), 0.0);
  if (grains.empty()) return;
  if (grains.size() % width != 0 || sums.counts.size() != static_cast<std::size_t>(counts_width_)) {
    throw Error("the sums of the epoch's steps so far are " + std::to_string(grains.size()) + " sums and " +
                    std::to_string(sums.counts.size()) + " counts, which are not those of the loss and " + std::to_string(metrics_.size()) +
                    " metrics; go on in the middle of an epoch with the metrics it began with",
                kUsage);
  }
  if (first == 0 && last > 0) std::copy(sums.counts.begin(), sums.counts.end(), counts_.begin());
  if (grains.size() == grains_.size()) {
    const auto from = static_cast<std::ptrdiff_t>(first * width_), to = static_cast<std::ptrdiff_t>(last * width_);
    std::copy(grains.begin() + from, grains.begin() + to, grains_.begin() + from);
  } else if (first == 0 && last > 0) {
    for (std::size_t i = 0; i < grains.size(); ++i) grains_[i % width] += grains[i];
  }
}

bool Scorer::finite(std::int64_t first_grain, std::int64_t last_grain) const {
  for (std::int64_t grain = first_grain; grain < last_grain; ++grain) {
    if (!std::isfinite(grains_[static_cast<std::size_t>(grain * width_)])) return false;
  }
  return true;
}

bool Scorer::finite(const ScoreSums& sums) const {
  double loss = 0;
  for (std::size_t i = 0; i < sums.grains.size(); i += static_cast<std::size_t>(width_)) loss += sums.grains[i];
  return std::isfinite(loss);
}

std::vector<double> Scorer::results(const ScoreSums& sums, double penalty) const {
  std::vector<double> totals(static_cast<std::size_t>(width_));
  for (std::size_t i = 0; i < sums.grains.size(); ++i) totals[i % totals.size()] += sums.grains[i];
  std::vector<double> results{(totals[1] > 0 ? totals[0] / totals[1] : 0) + penalty};
  std::vector<double> counts = sums.counts;
  std::size_t at = 2, count = 0;
  for (std::size_t m = 0; m < metrics_.size(); ++m) {
    const auto own_sums = static_cast<std::size_t>(sizes_[m].sums), own_counts = static_cast<std::size_t>(sizes_[m].counts);
    results.push_back(result_of(metrics_[m], {{totals.data() + at, own_sums}, {counts.data() + count, own_counts}}));
    at += own_sums;
    count += own_counts;
  }
  return results;
}

}  // namespace lockstep
