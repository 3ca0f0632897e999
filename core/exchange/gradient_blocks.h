#pragma once
#include <cstddef>
#include <vector>

#include "core/compile/optimizers/optimizer.h"
#include "core/data/sampler.h"
#include "core/exchange/exchange.h"
#include "core/exchange/exchange_plan.h"
#include "core/network/network.h"

namespace lockstep {

// Into which pieces a step's gradient is cut. The pieces are a function of the model and the optimizer alone,
// never of the number of ranks.

/// Indices of the ops with trainable weights, last first: the order in which backward finishes them, and that of the exchange.
std::vector<std::size_t> trainable_ops(const Network& network);

/// Whether the first layer with weights (the last of `trainable`) is cut into blocks of columns, which can stay with their ranks: it needs
/// no gradient of its input, so nothing but activations and deltas would ever be sent. For plain SGD, which changes the kernel in place
/// (`in_place`), and a product wide enough to be shared.
bool cuts_columns(const Network& network, const std::vector<std::size_t>& trainable, bool in_place);

/// The parts of every op (Op::parts). With `columns` those of the first layer with weights are 48 columns each (more in wide layers), and
/// one with the bias. With `join` blocks may be joined where no sum depends on that.
std::vector<GradientBlock> cut_blocks(const Network& network, const std::vector<std::size_t>& trainable, bool columns, bool join);

/// Which of the blocks of columns stay with their ranks on one host: all; or, of those of the full width, as many as every rank gets the
/// same number of, where the forward pass gains more by that than it costs to bring the others to all ranks, which compute those for their
/// own rows: a few floats of every row of the kernel, which come line by line, so that it is not worth it where ranks are `far`.
void let_columns_stay(std::vector<GradientBlock>& blocks, const Grains& grains, int ranks, bool far);

/// A step's gradient, cut.
struct GradientCut {
  std::vector<std::size_t> trainable;  ///< trainable_ops()
  bool in_place = false;               ///< a kernel's gradient goes straight into the kernel, but in trees
  bool columns_stay = false;           ///< with their ranks, where factors are exchanged
  std::vector<GradientBlock> blocks;   ///< of all layers
  std::vector<VariableRange> written;  ///< floats of the flat gradient that are used; training in place leaves holes
};
GradientCut cut_gradient(const Network& network, const Optimizer& optimizer, const Grains& grains, const ExchangePlan& exchange,
                         const JobShape& job, int threads);

/// Bytes that the ranks of a host share for a training: of /dev/shm, counted in pages. 0 where a rank is alone there, and where messages
/// sum the gradients.
double shared_bytes(Network& network, const Optimizer& optimizer, const Grains& grains, const ExchangePlan& exchange, const JobShape& job);

}  // namespace lockstep
