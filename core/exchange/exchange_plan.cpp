#include "core/exchange/exchange_plan.h"

#include "core/exchange/exchange.h"
#include "core/exchange/gradient_blocks.h"
#include "core/math/grain_tree.h"
#include "core/network/network.h"

namespace lockstep {
namespace {

/// Factors or gradients of a batch, in floats.
struct Message {
  std::int64_t factors, gradients;
};

Message message_of(const Op& op, const Grains& grains) {
  const std::int64_t gradients = op.slice().count;
  if (op.gradient_in_sums()) return {0, gradients};
  if (!op.exchanges_rows()) return {gradients, gradients};
  return {grains.count * grains.rows * (op.in + op.out), gradients};
}

bool exchanges_factors(const ExchangeOptions& options, const Network& network, const Grains& grains, int hosts) {
  if (options.exchange != ExchangeKind::automatic) return options.exchange == ExchangeKind::factors;
  if (options.reproducible) return true;
  if (options.allreduce != AllreduceAlgorithm::automatic) return false;
  std::int64_t factors = 0, gradients = 0;
  for (const std::size_t op : trainable_ops(network)) {
    const Message message = message_of(*network.ops()[op], grains);
    factors += message.factors;
    gradients += message.gradients;
  }
  return hosts == 1 || factors < gradients;
}

/// With factors.
LayerExchange layer_exchange(const ExchangeOptions& options, const Op& op, const Grains& grains) {
  if (op.gradient_in_sums()) return LayerExchange::sums;
  if (!op.exchanges_rows()) return LayerExchange::tree;
  const Product* product = op.product();
  if (product == nullptr || !options.reproducible || options.exchange == ExchangeKind::factors) return LayerExchange::factors;
  return message_of(op, grains).factors >= product->in * product->out ? LayerExchange::tree : LayerExchange::factors;
}

/// What sums gradients as far as it is known before a measurement.
AllreduceTable known_allreduce(AllreduceAlgorithm wanted, int hosts) {
  if (wanted != AllreduceAlgorithm::automatic) return AllreduceTable(wanted);
  return hosts == 1 ? AllreduceTable(AllreduceAlgorithm::shared) : AllreduceTable();
}

}  // namespace

JobShape shape_of(const World& world) { return {world.rank(), world.size(), world.hosts(), world.local_size()}; }

std::string_view name_of(LayerExchange exchange) {
  switch (exchange) {
    case LayerExchange::tree: return "tree";
    case LayerExchange::sums: return "sums";
    case LayerExchange::gradients: return "gradients";
    default: return "factors";
  }
}

ExchangePlan plan_exchange(const ExchangeOptions& options, const Network& network, const Grains& grains, int hosts) {
  ExchangePlan plan{.factors = exchanges_factors(options, network, grains, hosts)};
  if (!plan.factors) plan.allreduce = known_allreduce(options.allreduce, hosts);
  for (const std::size_t op : trainable_ops(network)) {
    plan.layers.push_back(plan.factors ? layer_exchange(options, *network.ops()[op], grains) : LayerExchange::gradients);
  }
  return plan;
}

double bytes_sent(const ExchangePlan& plan, Network& network, const Grains& grains, const JobShape& job) {
  constexpr double kFlags = Exchange::kFlags;
  if (!plan.factors) {
    const double buffer = (static_cast<double>(network.trainable_parameters()) + kFlags) * sizeof(float);
    return buffer * plan.allreduce.sent(static_cast<std::size_t>(buffer), job.ranks);
  }
  const GrainTree tree(grains.count, job.ranks);
  const std::int64_t parts = tree.first_part(job.rank + 1) - tree.first_part(job.rank);
  double floats = kFlags;
  const std::vector<std::size_t> trainable = trainable_ops(network);
  for (std::size_t layer = 0; layer < trainable.size(); ++layer) {
    const Op& op = *network.ops()[trainable[layer]];
    if (plan.layers[layer] == LayerExchange::tree) floats += static_cast<double>(parts * op.slice().count);
    if (plan.layers[layer] == LayerExchange::factors) floats += static_cast<double>(grains.own_slots() * (op.in + op.out));
  }
  return floats * sizeof(float) * (job.hosts - 1);  // to one rank of every other host
}

}  // namespace lockstep
