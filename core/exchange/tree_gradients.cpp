#include "core/exchange/tree_gradients.h"

#include <algorithm>

#include "core/network/pass.h"

namespace lockstep {

TreeGradients::TreeGradients(std::int64_t grains, int ranks, int rank, int threads, Leaf leaf)
    : tree_(grains, ranks), rank_(rank), threads_(threads), leaf_(std::move(leaf)), scratch_(static_cast<std::size_t>(threads)) {}

void TreeGradients::add(VariableRange slice, std::vector<GradientBlock> blocks, std::span<float> parts) {
  for (const GradientBlock& block : blocks) {
    if (scratch_[0].size() >= tree_.scratch() * block.count) continue;
    for (Buffer& scratch : scratch_) scratch = Buffer(tree_.scratch() * block.count);
  }
  layers_.push_back({slice, std::move(blocks), parts});
}

const TreeGradients::Layer* TreeGradients::find(std::size_t layer) const {
  const auto found = std::find_if(layers_.begin(), layers_.end(), [&](const Layer& l) { return l.blocks.front().layer == layer; });
  return found == layers_.end() ? nullptr : &*found;
}

Factor TreeGradients::own(std::size_t layer) const {
  const Layer& l = *find(layer);
  const std::int64_t first = tree_.first_part(rank_), last = tree_.first_part(rank_ + 1);
  return {l.parts, first * l.slice.count, (last - first) * l.slice.count};
}

void TreeGradients::sum(std::size_t layer) {
  const Layer& l = *find(layer);
  const auto blocks = static_cast<std::int64_t>(l.blocks.size());
  const std::int64_t first = tree_.first_part(rank_), own = tree_.first_part(rank_ + 1) - first;
  for_each_grain(threads_, own * blocks, [&](std::int64_t task) {
    const GradientBlock& block = l.blocks[static_cast<std::size_t>(task % blocks)];
    const std::int64_t part = first + task / blocks;
    float* const to = l.parts.data() + part * l.slice.count + (block.offset - l.slice.offset);
    const int thread = threads_ > 1 ? grain_thread() : 0;
    tree_.sum_part(part, block.count, to, scratch_[static_cast<std::size_t>(thread)].data(),
                   [&](std::int64_t grain, float* values) { leaf_(block, grain, thread, values); });
  });
}

void TreeGradients::combine(const GradientBlock& block, float* gradients, int thread) {
  const Layer& l = *find(block.layer);
  tree_.combine(l.parts.data() + (block.offset - l.slice.offset), l.slice.count, block.count, gradients + block.offset,
                scratch_[static_cast<std::size_t>(thread)].data());
}

}  // namespace lockstep
