#include "core/exchange/gradient_blocks.h"

#include <algorithm>

#include "cluster/host/shared_memory.h"
#include "core/math/gemm/products.h"
#include "core/math/grain_tree.h"
#include "core/network/regularizers.h"

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

/// Floats of the flat gradient that a block uses where a kernel's gradient goes straight into the kernel.
std::optional<VariableRange> written_in_place(const Op& op, bool tree, const GradientBlock& block) {
  if (tree || op.gradient_in_sums()) return VariableRange{block.offset, block.count};
  if (op.adds_gradient() || !block.bias) return std::nullopt;
  return VariableRange{op.product()->bias, op.product()->out};
}

std::vector<VariableRange> written(const Network& network, const ExchangePlan& exchange, const GradientCut& cut) {
  std::vector<VariableRange> ranges;
  for (const GradientBlock& block : cut.blocks) {
    const bool tree = exchange.layers[block.layer] == LayerExchange::tree;
    const auto range =
        cut.in_place ? written_in_place(*network.ops()[cut.trainable[block.layer]], tree, block) : VariableRange{block.offset, block.count};
    if (range) ranges.push_back(*range);
  }
  return ranges;
}

/// Bytes of SharedMemory on a host.
class SharedBytes {
 public:
  explicit SharedBytes(int ranks) : ranks_(static_cast<std::size_t>(ranks)) {}
  /// For all of them: a segment of the first rank, and a page of each other one.
  void add(std::int64_t floats) { bytes_ += SharedMemory::pages(bytes(floats)) + (ranks_ - 1) * SharedMemory::pages(0); }
  /// For each of them.
  void add_each(std::int64_t floats) { bytes_ += ranks_ * SharedMemory::pages(bytes(floats)); }
  void add(const std::vector<VariableRange>& ranges) {
    std::vector<SharedMemory::Part> parts;
    for (const VariableRange& range : ranges) parts.push_back({bytes(range.offset), bytes(range.count)});
    bytes_ += SharedMemory::pages(parts);
  }
  void add_bytes(std::size_t bytes) { bytes_ += bytes; }
  double total() const { return static_cast<double>(bytes_); }

 private:
  static std::size_t bytes(std::int64_t floats) { return static_cast<std::size_t>(floats) * sizeof(float); }
  std::size_t ranks_, bytes_ = 0;
};

/// The values and deltas of all layers, for all rows of a batch.
void add_pass(SharedBytes& shared, const Network& network, const GradientCut& cut, std::int64_t rows) {
  const auto& ops = network.ops();
  const std::size_t first = !ops.empty() && ops[0]->scale_and_offset() ? 1 : 0;
  for (std::size_t i = 0; i <= ops.size(); ++i) {
    const std::int64_t floats = rows * (i == 0 ? network.input_width() : ops[i - 1]->out);
    if (i >= first && cut.columns_stay && i == cut.trainable.back()) {
      shared.add_each(floats);
    } else if (i >= first) {
      shared.add(floats);
    }
    shared.add(i > network.first_trainable() ? floats : 0);
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

void let_columns_stay(std::vector<GradientBlock>& blocks, const Grains& grains, int ranks, bool far) {
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
  if (uneven - even <= kWorth * left || far) return;
  std::int64_t staying = each * ranks;
  for (GradientBlock& block : blocks) block.stays = block.stays && block.columns == width && staying-- > 0;
}

GradientCut cut_gradient(const Network& network, const Optimizer& optimizer, const Grains& grains, const ExchangePlan& exchange,
                         const JobShape& job, int threads) {
  GradientCut cut;
  cut.trainable = trainable_ops(network);
  cut.in_place = exchange.factors && optimizer.plain() && !has_regularizer(network) && network.constrained().empty();
  const auto in_tree = [&](std::size_t layer) { return exchange.layers[layer] == LayerExchange::tree; };
  const bool columns = cuts_columns(network, cut.trainable, cut.in_place) && !in_tree(cut.trainable.size() - 1);
  // Several threads share the blocks; a gradient that is written and then read again had better stay in the cache in between.
  cut.blocks = cut_blocks(network, cut.trainable, columns, cut.in_place && threads == 1);
  if (columns && job.hosts == 1) let_columns_stay(cut.blocks, grains, job.ranks, exchange.far);
  for (GradientBlock& block : cut.blocks) block.joins = block.joins && !in_tree(block.layer);  // whose sums are kept block by block
  cut.columns_stay = std::any_of(cut.blocks.begin(), cut.blocks.end(), [](const GradientBlock& block) { return block.stays; });
  cut.written = written(network, exchange, cut);
  return cut;
}

double shared_bytes(Network& network, const Optimizer& optimizer, const Grains& grains, const ExchangePlan& exchange, const JobShape& job) {
  if (job.local_ranks == 1) return 0;
  SharedBytes shared(job.local_ranks);
  const GradientCut cut = cut_gradient(network, optimizer, grains, exchange, job, 1);
  if (!exchange.factors) {
    if (exchange.allreduce.text() != allreduce_name(AllreduceAlgorithm::shared)) return 0;
    std::int64_t end = 0;
    for (const GradientBlock& block : cut.blocks) end = std::max(end, block.offset + block.count);
    shared.add_bytes(shared_allreduce_bytes(job.local_ranks));
    shared.add_each(end + static_cast<std::int64_t>(Exchange::kFlags));
    return shared.total();
  }
  const auto parameters = static_cast<std::int64_t>(network.parameters().size());
  shared.add_each(0);  // the barrier
  shared.add(cut.written);
  for (int set = 0; set < 2; ++set) shared.add(job.ranks * static_cast<std::int64_t>(Exchange::kFlags));
  if (cut.columns_stay || exchange.far) {
    shared.add_each(parameters);
  } else {
    shared.add(parameters);
  }
  for (const OptimizerSlot& slot : optimizer.slots()) shared.add(slot.values.size());
  add_pass(shared, network, cut, grains.count * grains.rows);
  const std::int64_t parts = GrainTree(grains.count, job.ranks).parts();
  for (std::size_t layer = 0; layer < cut.trainable.size(); ++layer) {
    if (exchange.layers[layer] == LayerExchange::tree) shared.add(parts * network.ops()[cut.trainable[layer]]->slice().count);
  }
  return shared.total();
}

}  // namespace lockstep
