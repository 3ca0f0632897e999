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
  cut(layers_.back());
}

void TreeGradients::cut(Layer& layer) const {
  const std::int64_t first = tree_.first_part(rank_), last = tree_.first_part(rank_ + 1);
  const auto blocks = (last - first) * static_cast<std::int64_t>(layer.blocks.size());
  while (blocks > 0 && blocks << layer.depth < threads_) ++layer.depth;
  for (std::int64_t part = first; part < last; ++part) {
    for (const GradientBlock& block : layer.blocks) {
      float* const to = layer.parts.data() + part * layer.slice.count + (block.offset - layer.slice.offset);
      for (std::int64_t piece = 0; piece < tree_.pieces(part, layer.depth); ++piece)
        layer.pieces.push_back({part, piece, block, piece == 0 ? to : layer.memory.emplace_back(block.count).data()});
    }
  }
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
  const auto count = static_cast<std::int64_t>(l.pieces.size());
  for_each_grain(threads_, count, [&](std::int64_t i) {
    const auto& [part, piece, block, to] = l.pieces[static_cast<std::size_t>(i)];
    const int thread = threads_ > 1 ? grain_thread() : 0;
    tree_.sum_piece(part, l.depth, piece, block.count, to, scratch_[static_cast<std::size_t>(thread)].data(),
                    [&, &of = block](std::int64_t grain, float* values) { leaf_(of, grain, thread, values); });
  });
  join(l);
}

/// Pieces of a block lie one after the other in the list.
void TreeGradients::join(const Layer& layer) {
  for (std::size_t first = 0, last = 0; first < layer.pieces.size(); first = last) {
    joined_.clear();
    do joined_.push_back(layer.pieces[last++].to);
    while (last < layer.pieces.size() && layer.pieces[last].piece > 0);
    GrainTree::join(joined_, layer.pieces[first].block.count);
  }
}

void TreeGradients::combine(const GradientBlock& block, float* gradients, int thread) {
  const Layer& l = *find(block.layer);
  tree_.combine(l.parts.data() + (block.offset - l.slice.offset), l.slice.count, block.count, gradients + block.offset,
                scratch_[static_cast<std::size_t>(thread)].data());
}

}  // namespace lockstep
