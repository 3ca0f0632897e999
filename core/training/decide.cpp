// What a fit() decides before it starts, the same on all ranks: the precision, and what each layer exchanges.
#include <array>

#include "core/data/sampler.h"
#include "core/exchange/gradient_blocks.h"
#include "core/math/bfloat16.h"
#include "core/math/onednn.h"
#include "core/training/model_state.h"
#include "core/training/sequential.h"

namespace lockstep {
namespace {

/// Rows of the global batch from which `auto` takes bfloat16. Below, rounding the weights anew in every step weighs: on AMD Zen 4 the gain
/// is 1.07 at 8 rows and 2.0 at 32 with 20 million weights, 1.4 and 1.7 with 266,610. A rule and not a measurement, so that a run has one
/// outcome.
constexpr std::int64_t kBfloat16Rows = 32;

/// The same on all ranks. Collective.
bool every_rank_has_bfloat16(const World& world) {
  std::array<std::int64_t, 1> without{has_bfloat16() ? 0 : 1};
  world.sum(without);
  return without[0] == 0;
}

}  // namespace

void ModelState::choose_ops(const World& world) {
  network->set_bfloat16(policy == DtypePolicy::mixed_bfloat16 && every_rank_has_bfloat16(world));
}

DtypePolicy Sequential::decide_dtype(const FitOptions& options, const World& world) {
  DtypePolicy& policy = state_->policy;
  if (policy == DtypePolicy::automatic) {
    const bool gains = options.batch_size >= kBfloat16Rows;
    policy = every_rank_has_bfloat16(world) && gains ? DtypePolicy::mixed_bfloat16 : DtypePolicy::float32;
  }
  world.agree([&] {
    if (policy != DtypePolicy::mixed_bfloat16 || has_bfloat16()) return;
    throw Error("model '" + name() + "' has the dtype policy mixed_bfloat16, but this CPU has no AVX512_BF16 (it computes with " +
                    onednn_isa() + "); train with mixed_precision: float32, or auto, which takes bfloat16 only where every rank has it",
                kUsage);
  });
  return policy;
}

std::vector<Sequential::LayerExchange> Sequential::exchanges(const FitOptions& options, std::int64_t rows, const World& world) const {
  const Sampler sampler(rows, options.batch_size, options.shards, state_->seed, options.shuffle);
  const Network& network = state_->built();
  const Grains grains = cut_grains(sampler.slots(), world.rank(), world.size());
  const bool factors = exchanges_factors(exchange_options(options), network, grains, world);
  std::vector<LayerExchange> result;
  for (std::size_t i = 0; i < network.ops().size(); ++i) {
    const auto& op = network.ops()[i];
    if (!op->trainable()) continue;
    result.push_back({network.layer_of(i), !factors                                               ? "gradients"
                                           : sums_in_tree(exchange_options(options), *op, grains) ? "tree"
                                                                                                  : "factors"});
  }
  return result;
}

}  // namespace lockstep
