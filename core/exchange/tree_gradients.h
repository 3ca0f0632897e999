#pragma once
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "cluster/buffer.h"
#include "core/compile/variable_range.h"
#include "core/exchange/exchange.h"
#include "core/math/grain_tree.h"

namespace lockstep {

/// The layers whose gradients are summed in a tree over grains: what ranks tell each other about them are the parts of that sum which each
/// has added up over its own grains. A step: sum() per layer after backward, the exchange, combine() per block.
class TreeGradients {
 public:
  /// Writes a block's gradient from the rows of one grain, on thread `thread`: block.count floats, zeros in the padding.
  using Leaf = std::function<void(const GradientBlock& block, std::int64_t grain, int thread, float* to)>;
  TreeGradients(std::int64_t grains, int ranks, int rank, int threads, Leaf leaf);

  /// A layer, by its place in the order of the exchange; `blocks`: its blocks, slices all of them, of `slice`. `parts`: memory of
  /// part_count(slice) floats that all ranks of the host see.
  void add(VariableRange slice, std::vector<GradientBlock> blocks, std::span<float> parts);
  std::int64_t part_count(VariableRange slice) const { return tree_.parts() * slice.count; }
  bool has(std::size_t layer) const { return find(layer) != nullptr; }
  /// What this rank fills of the layer's memory.
  Factor own(std::size_t layer) const;

  /// Adds up this rank's parts.
  void sum(std::size_t layer);
  /// The gradient of the global batch of one block, at gradients + block.offset; every rank's parts are there. `thread`: the calling one's
  /// number.
  void combine(const GradientBlock& block, float* gradients, int thread);

 private:
  /// A block of this rank's part, or a piece of it where there are more threads than blocks.
  struct Piece {
    std::int64_t part, piece;
    GradientBlock block;
    float* to;
  };
  struct Layer {
    VariableRange slice;
    std::vector<GradientBlock> blocks;
    std::span<float> parts;  // (tree_.parts(), slice.count)
    int depth = 0;           // of the pieces below parts
    std::vector<Piece> pieces = {};
    std::vector<Buffer> memory = {};  // of pieces but the first of each block, which lies in `parts`
  };
  void cut(Layer& layer) const;
  void join(const Layer& layer);
  const Layer* find(std::size_t layer) const;

  GrainTree tree_;
  int rank_, threads_;
  Leaf leaf_;
  std::vector<Layer> layers_;
  std::vector<float*> joined_;   // pieces of a block
  std::vector<Buffer> scratch_;  // per thread: (tree_.scratch(), floats of the largest block)
};

}  // namespace lockstep
