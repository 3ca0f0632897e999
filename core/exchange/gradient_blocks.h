#pragma once
#include <cstddef>
#include <functional>
#include <vector>

#include "cluster/collectives/allreduce.h"
#include "cluster/world.h"
#include "core/data/sampler.h"
#include "core/exchange/exchange.h"
#include "core/exchange/options.h"
#include "core/network/network.h"

namespace lockstep {

// What of a step's gradient is exchanged, and into which pieces it is cut. The pieces are a function of the model and the optimizer alone,
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
/// own rows: a few floats of every row of the kernel, which come line by line, so that it is not worth it where `far` (ranks_are_far) says
/// true, which is asked only if it matters, on all ranks or on none.
void let_columns_stay(std::vector<GradientBlock>& blocks, const Grains& grains, int ranks, const std::function<bool()>& far);

/// Whether factors are exchanged, where the options leave it open: on one host, and between hosts where all ranks' rows of them are a
/// smaller message than the gradient, which a ring sends and receives once. Not collective, and the same on all ranks.
bool exchanges_factors(ExchangeOptions options, const Network& network, const Grains& grains, const World& world);

/// Whether a layer's gradient is summed in a tree over grains (grain_tree.h) and not, in the GEMM's own order, over the rows of the whole
/// batch: in reproducible mode, where the batch's activations and deltas, rows x (in + out) floats, are no smaller than the kernel, in x
/// out, so that sending sums of gradients is cheaper; and always where the op offers no product. A function of model and batch alone: the
/// bits do not depend on where the ranks are.
bool sums_in_tree(ExchangeOptions options, const Op& op, const Grains& grains);

}  // namespace lockstep
