#include "core/exchange/gradient_blocks.h"

#include <algorithm>

#include "core/math/gemm/products.h"

namespace lockstep {
namespace {

constexpr std::int64_t kColumns = 48;  // of a block: the width of gemm.h's and of oneDNN's tiles
constexpr std::int64_t kMost = 32;     // blocks of columns

std::int64_t ratio(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// The first layer's blocks: kColumns columns each, or a multiple of them, and one with the bias.
void cut_columns(const Op& op, std::size_t layer, std::vector<GradientBlock>& blocks) {
  const Product& product = *op.product();
  const std::int64_t width = ratio(ratio(product.out, kMost), kColumns) * kColumns;
  for (std::int64_t column = 0; column < product.out; column += width) {
    const std::int64_t columns = std::min(width, product.out - column);
    blocks.push_back({.layer = layer,
                      .first = 0,
                      .last = product.in,
                      .offset = product.kernel + column,
                      .count = product.in * columns,
                      .column = column,
                      .columns = columns,
                      .stride = product.out});
  }
  if (product.bias >= 0) {
    const std::int64_t end = op.slice().offset + op.slice().count;
    blocks.push_back({.layer = layer, .bias = true, .offset = product.bias, .count = end - product.bias});
  }
}

void cut_parts(const Op& op, std::size_t layer, std::vector<GradientBlock>& blocks) {
  for (const VariableRange& part : op.parts()) {
    GradientBlock block{.layer = layer, .offset = part.offset, .count = part.count};
    if (const Product* product = op.product()) {
      const ProductPart rows = part_of(*product, part);
      block.first = rows.first;
      block.last = rows.last;
      block.bias = rows.bias;
    }
    blocks.push_back(block);
  }
}

}  // namespace

std::vector<std::size_t> trainable_ops(const Network& network) {
  std::vector<std::size_t> trainable;
  for (std::size_t i = network.ops().size(); i-- > 0;) {
    if (network.ops()[i]->trainable()) trainable.push_back(i);
  }
  return trainable;
}

bool cuts_columns(const Network& network, const std::vector<std::size_t>& trainable, bool in_place) {
  if (!in_place || trainable.empty()) return false;
  const Product* product = network.ops()[trainable.back()]->product();
  return product != nullptr && product->in_columns && product->repeat == 1 && product->out >= 4 * kColumns;
}

std::vector<GradientBlock> cut_blocks(const Network& network, const std::vector<std::size_t>& trainable, bool columns, bool join) {
  std::vector<GradientBlock> blocks;
  for (std::size_t layer = 0; layer < trainable.size(); ++layer) {
    const Op& op = *network.ops()[trainable[layer]];
    const std::size_t first = blocks.size();
    if (columns && layer + 1 == trainable.size()) {
      cut_columns(op, layer, blocks);
    } else {
      cut_parts(op, layer, blocks);
    }
    const Product* product = op.product();
    const bool joins = join && product != nullptr && op.row_count_invariant() && small_kernel(product->in, product->out);
    for (std::size_t b = first; b < blocks.size(); ++b) blocks[b].joins = joins;
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

}  // namespace lockstep
