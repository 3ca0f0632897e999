#pragma once
#include <cstdint>
#include <memory>

#include "core/compile/optimizers/optimizer.h"
#include "core/exchange/bfloat16_factors.h"
#include "core/exchange/exchange.h"
#include "core/exchange/tree_gradients.h"
#include "core/layers/op.h"

namespace lockstep {

/// How the gradient of a layer's blocks is formed; chosen once for a layer.
class BlockForm {
 public:
  virtual ~BlockForm() = default;
  /// On the thread `thread` of those that form blocks at the same time.
  virtual void form(const GradientBlock& block, int thread) const = 0;
  /// What the optimizer still has to update once the block is formed.
  virtual VariableRange left(const GradientBlock& block) const { return {block.offset, block.count}; }
};

/// What the blocks of a layer are formed from, and where to.
struct BlockSource {
  const std::unique_ptr<Op>& op;  ///< the network's, which may put another in its place
  const float *x, *d;             ///< activations and deltas in this rank's sight
  std::int64_t rows;
  float* gradients;  ///< the flat buffer
};

/// By Op::gradient.
std::unique_ptr<BlockForm> make_written_form(const BlockSource& source);
/// By Op::gradient as well, of an op that has it already (Op::gradient_in_sums). `whole`: this rank writes it; else zeros, where ranks' are
/// added.
std::unique_ptr<BlockForm> make_sums_form(const BlockSource& source, bool whole);
/// Products in bfloat16.
std::unique_ptr<BlockForm> make_bfloat16_form(const BlockSource& source, const Bfloat16Factors& factors);
/// From the parts of a tree's sum.
std::unique_ptr<BlockForm> make_tree_form(const BlockSource& source, TreeGradients& trees);
/// A step of plain SGD by Op::add_gradient. `parameters`: the flat buffer.
std::unique_ptr<BlockForm> make_added_form(const BlockSource& source, const Optimizer& optimizer, float* parameters);
/// A step of plain SGD, which adds the kernel's gradient to the kernel while it is formed; the bias' gradient is written. `factors`: not
/// null where products are in bfloat16. `parameters`: the flat buffer.
std::unique_ptr<BlockForm> make_in_place_form(const BlockSource& source, const Bfloat16Factors* factors, const Optimizer& optimizer,
                                              float* parameters);

}  // namespace lockstep
