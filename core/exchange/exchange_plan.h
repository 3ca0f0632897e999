#pragma once
#include <string_view>
#include <vector>

#include "cluster/collectives/allreduce_table.h"
#include "cluster/world.h"
#include "core/data/sampler.h"
#include "core/exchange/options.h"

namespace lockstep {

class Network;

/// The ranks of a job and where one of them stands: what a plan depends on. Without MPI, so that a plan can be asked for another rank or
/// another job.
struct JobShape {
  int rank = 0, ranks = 1, hosts = 1;
  int local_ranks = 1;  ///< on this rank's host
};
JobShape shape_of(const World& world);

/// How ranks combine a layer's gradient.
///   factors    ranks see the activations and deltas of the whole batch, and each forms a part of the gradient over all rows
///   tree       ranks add up the gradients of their grains and see each other's partial sums
///   sums       nothing: the gradient is among the sums over the batch that backward needed (Op::gradient_in_sums)
///   gradients  every rank forms the gradient of its own rows, and an allreduce sums them
enum class LayerExchange { factors, tree, sums, gradients };
std::string_view name_of(LayerExchange exchange);

/// What ranks exchange of a network's gradient, decided once before the first step.
struct ExchangePlan {
  bool factors = true;                     ///< factors and trees; false: an allreduce sums the gradients of all layers
  std::vector<LayerExchange> layers = {};  ///< in the order of trainable_ops()
  AllreduceTable allreduce = {};           ///< what sums gradients; empty with factors, and where it has yet to be measured
  /// The cores of a host's ranks are far from each other (ranks_are_far): each keeps its own copy of the weights. Measured by make_plan; an
  /// outline takes them for far.
  bool far = true;
};

/// The exchange that the options mean, without measuring anything. Where they leave it open, factors are exchanged on one host, and between
/// hosts where all ranks' rows of them are a smaller message than the gradient, which a ring sends and receives once.
///
/// With factors a layer's gradient is summed in a tree over grains (grain_tree.h) where its op offers no product. In reproducible mode it
/// is so as well where the batch's activations and deltas, rows x (in + out) floats, are no smaller than the kernel, in x out: then sums of
/// gradients are cheaper to send. That depends on model and batch alone, so the bits do not depend on where the ranks are.
ExchangePlan plan_exchange(const ExchangeOptions& options, const Network& network, const Grains& grains, int hosts);

/// About how many bytes of gradient this rank sends to others by messages in a step. What ranks of a host share in memory is not sent.
/// Where the allreduce has yet to be measured, a ring's.
double bytes_sent(const ExchangePlan& plan, Network& network, const Grains& grains, const JobShape& job);

}  // namespace lockstep
