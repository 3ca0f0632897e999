// Normalization's statistics: which elements share one, and their computation over all rows of a data set on all ranks.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "cluster/world.h"
#include "core/data/dataset.h"
#include "core/layers/op.h"

namespace lockstep {

std::vector<std::size_t> kept_axes(const Normalization& layer, const Shape& input) {
  const auto axes = static_cast<std::int64_t>(input.size()) + 1;  // with the batch axis, as Keras counts
  std::vector<std::size_t> kept;
  for (const std::int64_t axis : layer.axis) {
    const std::int64_t positive = axis < 0 ? axis + axes : axis;
    if (positive < 1 || positive >= axes) {
      throw Error("layer '" + layer.name + "': Normalization axis " + std::to_string(axis) + " is not an axis of its input " +
                      to_string(input, true) + "; give axes between 1 and " + std::to_string(axes - 1) + ", or negative ones",
                  kUsage);
    }
    kept.push_back(static_cast<std::size_t>(positive - 1));
  }
  std::sort(kept.begin(), kept.end());
  kept.erase(std::unique(kept.begin(), kept.end()), kept.end());
  return kept;
}

StatisticIndex statistic_index(const Normalization& layer, const Shape& input) {
  const std::vector<std::size_t> kept = kept_axes(layer, input);
  StatisticIndex index;
  for (const std::size_t axis : kept) index.count *= input[axis];
  const std::int64_t count = elements(input);
  index.of_element.resize(static_cast<std::size_t>(count));
  for (std::int64_t e = 0; e < count; ++e) {
    std::int64_t rest = e, stride = 1, statistic = 0;
    for (std::size_t axis = input.size(); axis-- > 0;) {
      const std::int64_t at = rest % input[axis];
      rest /= input[axis];
      if (std::find(kept.begin(), kept.end(), axis) == kept.end()) continue;
      statistic += at * stride;
      stride *= input[axis];
    }
    index.of_element[static_cast<std::size_t>(e)] = static_cast<std::int32_t>(statistic);
  }
  return index;
}

namespace {

constexpr std::int64_t kBlockRows = 1024;

/// Count, mean and sum of squared deviations (M2) per statistic of rows [first, last), merged block by block in double
/// (Chan, Golub, LeVeque 1979), laid out as count, means, M2s.
class Moments {
 public:
  explicit Moments(std::int64_t statistics) : mean(static_cast<std::size_t>(statistics)), m2(static_cast<std::size_t>(statistics)) {}

  void merge(double other_count, std::span<const double> other_mean, std::span<const double> other_m2) {
    if (other_count == 0) return;
    const double total = count + other_count;
    for (std::size_t s = 0; s < mean.size(); ++s) {
      const double difference = other_mean[s] - mean[s];
      mean[s] += difference * other_count / total;
      m2[s] += other_m2[s] + difference * difference * count * other_count / total;
    }
    count = total;
  }

  double count = 0;
  std::vector<double> mean, m2;
};

void add_block(Moments& moments, const std::vector<float>& x, std::int64_t rows, const StatisticIndex& index) {
  const std::size_t width = index.of_element.size();
  const double count = static_cast<double>(rows) * static_cast<double>(width) / static_cast<double>(index.count);
  std::vector<double> mean(moments.mean.size()), m2(moments.mean.size());
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows) * width; ++i)
    mean[static_cast<std::size_t>(index.of_element[i % width])] += x[i];
  for (double& m : mean) m /= count;
  for (std::size_t i = 0; i < static_cast<std::size_t>(rows) * width; ++i) {
    const auto s = static_cast<std::size_t>(index.of_element[i % width]);
    m2[s] += (x[i] - mean[s]) * (x[i] - mean[s]);
  }
  moments.merge(count, mean, m2);
}

/// Moments of blocks [first, last) of kBlockRows rows each, one after the other in `blocks` (stride 1 + 2 statistics).
void block_moments(const Dataset& data, const StatisticIndex& index, std::int64_t first, std::int64_t last, std::span<double> blocks) {
  const RowRange rows{std::min(first * kBlockRows, data.rows()), std::min(last * kBlockRows, data.rows())};
  if (rows.size() == 0) return;
  const auto reader = data.open({rows});
  reader->expect_finite();
  std::vector<std::int64_t> order(static_cast<std::size_t>(rows.size()));
  std::iota(order.begin(), order.end(), rows.first);
  reader->begin(order);
  const auto statistics = static_cast<std::size_t>(index.count);
  std::vector<float> x(static_cast<std::size_t>(kBlockRows) * index.of_element.size());
  for (std::int64_t b = first; b < last; ++b) {
    const std::int64_t count = std::min(kBlockRows, data.rows() - b * kBlockRows);
    reader->read(count, {x.data(), nullptr, nullptr});
    Moments moments(index.count);
    add_block(moments, x, count, index);
    double* out = &blocks[static_cast<std::size_t>(b) * (1 + 2 * statistics)];
    *out = moments.count;
    std::copy(moments.mean.begin(), moments.mean.end(), out + 1);
    std::copy(moments.m2.begin(), moments.m2.end(), out + 1 + statistics);
  }
}

}  // namespace

void Normalization::adapt(const Dataset& data, const World& world) {
  if (!mean.empty()) throw Error("layer '" + name + "': Normalization was given mean and variance, there is nothing to adapt", kUsage);
  const StatisticIndex index = statistic_index(*this, data.sample_shape());
  const auto kept = static_cast<std::size_t>(index.count);
  const std::size_t stride = 1 + 2 * kept;
  const std::int64_t count = (data.rows() + kBlockRows - 1) / kBlockRows;
  // Blocks do not depend on the number of ranks and are merged in their order, so every N gets the bits of one process.
  std::vector<double> blocks(static_cast<std::size_t>(count) * stride);
  world.agree([&] { block_moments(data, index, count * world.rank() / world.size(), count * (world.rank() + 1) / world.size(), blocks); });
  world.sum(blocks);
  Moments total(index.count);
  for (std::size_t b = 0; b < static_cast<std::size_t>(count); ++b) {
    const std::span<const double> block(&blocks[b * stride], stride);
    total.merge(block[0], block.subspan(1, kept), block.subspan(1 + kept, kept));
  }
  statistics->mean.assign(kept, 0);
  statistics->variance.assign(kept, 0);
  for (std::size_t s = 0; s < kept; ++s) {
    statistics->mean[s] = static_cast<float>(total.mean[s]);
    statistics->variance[s] = static_cast<float>(total.m2[s] / total.count);
  }
}

}  // namespace lockstep
