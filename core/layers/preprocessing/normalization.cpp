#include "core/layers/preprocessing/normalization.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "cluster/clones.h"
#include "cluster/world.h"
#include "core/data/dataset.h"
#include "core/layers/op.h"

namespace lockstep {
namespace {

constexpr float kEpsilon = 1e-7F;  // keras.config.epsilon()

/// Axes of the sample (0-based, ascending) that a Normalization keeps. An axis that does not exist: Error (kUsage).
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

/// Lengths of the kept axes.
Shape kept_shape(const Normalization& layer, const Shape& input) {
  Shape kept;
  for (const std::size_t axis : kept_axes(layer, input)) kept.push_back(input[axis]);
  return kept;
}

/// Whether numbers can be spread over the kept axes: as many as there are, or axes that are 1 or equal, last to last.
bool broadcasts(const Numbers& numbers, const Shape& kept) {
  if (static_cast<std::int64_t>(numbers.values.size()) == elements(kept)) return true;
  if (numbers.shape.size() > kept.size()) return numbers.values.size() == 1;
  for (std::size_t i = 1; i <= numbers.shape.size(); ++i) {
    const std::int64_t length = numbers.shape[numbers.shape.size() - i];
    if (length != 1 && length != kept[kept.size() - i]) return false;
  }
  return true;
}

/// One for each statistic, of numbers that broadcasts() allows.
std::vector<float> broadcast(const Numbers& numbers, const Shape& kept) {
  const std::int64_t count = elements(kept);
  if (static_cast<std::int64_t>(numbers.values.size()) == count) return numbers.values;
  std::vector<float> values;
  for (std::int64_t s = 0; s < count; ++s) {
    std::int64_t rest = s, at = 0, stride = 1;
    for (std::size_t i = 1; i <= std::min(numbers.shape.size(), kept.size()); ++i) {
      const std::int64_t length = numbers.shape[numbers.shape.size() - i];
      at += rest % kept[kept.size() - i] % length * stride;
      rest /= kept[kept.size() - i];
      stride *= length;
    }
    values.push_back(numbers.values[static_cast<std::size_t>(at)]);
  }
  return values;
}

/// Index of the statistic of every element of a sample; `count` statistics in all.
struct StatisticIndex {
  std::vector<std::int32_t> of_element;
  std::int64_t count = 1;
};

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

LOCKSTEP_CLONES void standardise(const float* x, float* y, std::int64_t rows, std::int64_t width, const float* mean,
                                 const float* deviation) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t i = 0; i < width; ++i) y[r * width + i] = (x[r * width + i] - mean[i]) / deviation[i];
  }
}

class NormalizationOp final : public Op {
 public:
  NormalizationOp(const Normalization& layer, const Shape& input) : layer_(layer), index_(statistic_index(layer, input)) {
    in = out = elements(input);
    mean_ = Buffer(in);
    deviation_ = Buffer(in);
    const Shape kept = kept_shape(layer, input);
    if (!layer.mean.empty()) {
      given_mean_ = broadcast(layer.mean, kept);
      given_variance_ = broadcast(layer.variance, kept);
      return;
    }
    weights_ = {{.name = "mean", .shape = kept, .trainable = false},
                {.name = "variance", .shape = kept, .trainable = false},
                {.name = "count", .shape = {}, .trainable = false}};
  }

  /// Those of the layer, so that adapt() reaches every model that has it.
  std::span<float> values(std::size_t i) override {
    Normalization::Statistics& statistics = *layer_.statistics;
    if (i == 2) return {&statistics.count, 1};
    return i == 0 ? statistics.mean : statistics.variance;
  }

  void prepare(std::int64_t, int) override {
    const bool fixed = !layer_.mean.empty();
    const std::vector<float>& mean = fixed ? given_mean_ : layer_.statistics->mean;
    const std::vector<float>& variance = fixed ? given_variance_ : layer_.statistics->variance;
    for (std::int64_t i = 0; i < in; ++i) {
      const auto of = static_cast<std::size_t>(index_.of_element[static_cast<std::size_t>(i)]);
      mean_.data()[i] = mean[of];
      deviation_.data()[i] = std::max(std::sqrt(variance[of]), kEpsilon);
    }
  }

  void forward(const float* x, float* y, const Block& block) const override {
    if (!layer_.invert) return standardise(x, y, block.rows, in, mean_.data(), deviation_.data());
    for (std::int64_t i = 0; i < block.rows * in; ++i) y[i] = mean_.data()[i % in] + x[i] * deviation_.data()[i % in];
  }

  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    for (std::int64_t i = 0; i < block.rows * in; ++i) {
      dx[i] = layer_.invert ? dy[i] * deviation_.data()[i % in] : dy[i] / deviation_.data()[i % in];
    }
  }

 private:
  Normalization layer_;
  StatisticIndex index_;
  std::vector<float> given_mean_, given_variance_;  // (statistics)
  Buffer mean_, deviation_;                         // (in): the statistics spread over the elements of a sample
};

/// Statistics of a layer that has none yet become 0 and 1. Those that do not fit are an Error.
void check_statistics(const Normalization& layer, const Shape& input) {
  const Shape kept = kept_shape(layer, input);
  const auto count = static_cast<std::size_t>(elements(kept));
  if (layer.mean.shape != layer.variance.shape || layer.mean.values.size() != layer.variance.values.size()) {
    throw layer_error(layer, "mean and variance must be given together, with the same shape");
  }
  if (!layer.mean.empty()) {
    if (broadcasts(layer.mean, kept)) return;
    throw layer_error(layer, "has a mean of shape " + to_string(layer.mean.shape) + ", but the axes that it keeps of its input " +
                                 to_string(input, true) + " have shape " + to_string(kept));
  }
  Normalization::Statistics& statistics = *layer.statistics;
  if (statistics.mean.empty()) {
    statistics.mean.assign(count, 0);
    statistics.variance.assign(count, 1);
  }
  if (statistics.mean.size() == count) return;
  throw layer_error(layer, "has statistics for " + std::to_string(statistics.mean.size()) + " values, but its input " +
                               to_string(input, true) + " needs " + std::to_string(count));
}

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

BuiltLayer build(const Normalization& layer, const LayerSite& site) {
  check_statistics(layer, site.input);
  return same_shape(site, std::make_unique<NormalizationOp>(layer, site.input));
}

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
