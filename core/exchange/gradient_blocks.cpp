#include "core/exchange/gradient_blocks.h"

#include <algorithm>

#include "core/math/onednn.h"

namespace lockstep {
namespace {

constexpr std::int64_t kColumns = 48;  // of a block: the width of gemm.h's and of oneDNN's tiles
constexpr std::int64_t kMost = 32;     // blocks of a layer

std::int64_t ratio(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The first layer's blocks: kColumns columns each, or a multiple of them, and one with the bias.
void cut_columns(const DenseWeights& weights, std::size_t layer, std::vector<GradientBlock>& blocks) {
  const std::int64_t width = ratio(ratio(weights.out, kMost), kColumns) * kColumns;
  for (std::int64_t column = 0; column < weights.out; column += width) {
    const std::int64_t columns = std::min(width, weights.out - column);
    blocks.push_back({.layer = layer,
                      .first = 0,
                      .last = weights.in,
                      .offset = weights.kernel + column,
                      .count = weights.in * columns,
                      .column = column,
                      .columns = columns,
                      .stride = weights.out});
  }
  if (weights.bias >= 0) {
    blocks.push_back({.layer = layer, .bias = true, .offset = weights.bias, .count = weights.offset + weights.count - weights.bias});
  }
}

}  // namespace

std::vector<std::size_t> dense_ops(const Network& network) {
  std::vector<std::size_t> dense;
  for (std::size_t i = network.ops().size(); i-- > 0;) {
    if (network.ops()[i]->weights() != nullptr) dense.push_back(i);
  }
  return dense;
}

bool cuts_columns(const Network& network, const std::vector<std::size_t>& dense, bool in_place) {
  if (!in_place || dense.empty() || network.bfloat16()) return false;  // in bfloat16 an element's bits do not depend on the cut
  const DenseWeights& weights = *network.ops()[dense.back()]->weights();
  return weights.repeat == 1 && weights.out >= 4 * kColumns;
}

std::vector<GradientBlock> cut_blocks(const Network& network, const std::vector<std::size_t>& dense, bool columns, bool join) {
  constexpr std::int64_t kFloats = 8 << 10, kMultiple = 8;
  std::vector<GradientBlock> blocks;
  for (std::size_t layer = 0; layer < dense.size(); ++layer) {
    const DenseWeights& weights = *network.ops()[dense[layer]]->weights();
    if (columns && layer + 1 == dense.size()) {
      cut_columns(weights, layer, blocks);
      continue;
    }
    const std::int64_t count = std::clamp<std::int64_t>(weights.in * weights.out / kFloats, 1, kMost);
    const std::int64_t rows = ratio(ratio(weights.in, count), kMultiple) * kMultiple;
    for (std::int64_t first = 0; first < weights.in; first += rows) {
      const std::int64_t last = std::min(weights.in, first + rows);
      const std::int64_t offset = weights.kernel + first * weights.out;
      const std::int64_t end = last < weights.in ? weights.kernel + last * weights.out : weights.offset + weights.count;
      blocks.push_back({.layer = layer,
                        .first = first,
                        .last = last,
                        .bias = last == weights.in && weights.bias >= 0,
                        .offset = offset,
                        .count = end - offset});
    }
  }
  for (GradientBlock& block : blocks) {
    const Op& op = *network.ops()[dense[block.layer]];
    block.joins = join && op.any_rows() && small_kernel(op.weights()->in, op.weights()->out);
  }
  return blocks;
}

void let_columns_stay(std::vector<GradientBlock>& blocks, const Grains& grains, int ranks, const std::function<bool()>& far) {
  constexpr std::int64_t kWorth = 10;  // multiplications that take as long as the way of a float from rank to rank
  std::int64_t whole = 0, width = 0, all = 0;
  for (GradientBlock& block : blocks) {
    block.stays = block.columns > 0;
    width = std::max(width, block.columns);
    all += block.columns;
  }
  for (const GradientBlock& block : blocks) whole += block.columns == width && width > 0 ? 1 : 0;
  const std::int64_t each = whole / ranks, left = all - each * ranks * width;  // blocks of a rank; columns beyond them
  if (ranks == 1 || each == 0 || left == 0) return;
  const std::int64_t rows = grains.count * grains.rows, most_rows = ratio(grains.count, ranks) * grains.rows;
  const std::int64_t uneven = (whole % ranks == 0 ? left : width) * rows,
                     even = left * most_rows;  // of the slowest rank, beyond its `each`
  if (uneven - even <= kWorth * left || far()) return;
  std::int64_t staying = each * ranks;
  for (GradientBlock& block : blocks) block.stays = block.stays && block.columns == width && staying-- > 0;
}

bool exchanges_factors(ExchangeOptions options, const Network& network, const Grains& grains, const World& world) {
  if (options.exchange != ExchangeKind::automatic) return options.exchange == ExchangeKind::factors;
  if (options.reproducible) return true;
  if (options.allreduce != AllreduceAlgorithm::automatic) return false;
  std::int64_t factors = 0, gradients = 0;
  for (const std::size_t op : dense_ops(network)) {
    const DenseWeights& weights = *network.ops()[op]->weights();
    factors += grains.count * grains.rows * weights.repeat * (weights.in + weights.out);
    gradients += weights.count;
  }
  return world.hosts() == 1 || factors < gradients;
}

bool sums_in_tree(ExchangeOptions options, const DenseWeights& weights, const Grains& grains) {
  if (!options.reproducible || options.exchange == ExchangeKind::factors) return false;
  return grains.count * grains.rows * weights.repeat * (weights.in + weights.out) >= weights.in * weights.out;
}

}  // namespace lockstep
