#include "core/training/plan.h"

#include <algorithm>
#include <cmath>

#include "cluster/host/core_round_trip.h"
#include "cluster/host/placement.h"
#include "core/exchange/gradient_blocks.h"
#include "core/math/bfloat16.h"
#include "core/math/onednn/library.h"
#include "core/training/dtype.h"
#include "core/training/model_state.h"
#include "core/training/sequential.h"

namespace lockstep {
namespace {

void check_exchange(const FitOptions& options) {
  if (options.exchange == ExchangeKind::factors && options.allreduce != AllreduceAlgorithm::automatic) {
    throw Error("the exchange of factors uses no allreduce; remove the allreduce setting, or set exchange: gradients", kUsage);
  }
  if (!options.reproducible) return;
  if (options.exchange == ExchangeKind::gradients || options.allreduce != AllreduceAlgorithm::automatic) {
    throw Error(
        "reproducible training exchanges factors and sums in one fixed order; it "
        "cannot be combined with a forced allreduce or the exchange of gradients",
        kUsage);
  }
}

/// What equal bits on all ranks need: one instruction set and one version of the library that computes. Collective.
void check_equal_arithmetic(const World& world) {
  const std::vector<std::string> found =
      world.all_gather("oneDNN " + std::string(onednn_version()) + " with " + onednn_isa() + " on " + world.hostname());
  const auto arithmetic = [](const std::string& text) { return text.substr(0, text.find(" on ")); };
  world.agree([&] {
    for (std::size_t rank = 1; rank < found.size(); ++rank) {
      if (arithmetic(found[rank]) == arithmetic(found[0])) continue;
      throw Error("reproducible training needs the same arithmetic on all ranks, but rank 0 computes by " + found[0] + " and rank " +
                      std::to_string(rank) + " by " + found[rank] +
                      "; choose equal hosts, or set DNNL_MAX_CPU_ISA to what both have (AVX2, AVX512_CORE)",
                  kUsage);
    }
  });
}

void check_bfloat16(const ModelState& model) {
  if (model.policy != DtypePolicy::mixed_bfloat16 || has_bfloat16()) return;
  throw Error("model '" + model.name + "' has the dtype policy mixed_bfloat16, but this CPU has no AVX512_BF16 (it computes with " +
                  onednn_isa() + "); train with mixed_precision: float32, or auto, which takes bfloat16 only where every rank has it",
              kUsage);
}

/// Policy and ops. Collective.
void choose_dtype(ModelState& model, std::int64_t batch_size, const World& world) {
  if (model.policy == DtypePolicy::automatic) model.policy = decide_dtype(model.policy, batch_size, every_rank_has_bfloat16(world));
  world.agree([&] { check_bfloat16(model); });
  model.choose_ops(world);
}

std::vector<OpPlan> plan_ops(const Network& network, const ExchangePlan& exchange) {
  std::vector<OpPlan> ops;
  for (std::size_t i = 0; i < network.ops().size(); ++i) {
    const Op& op = *network.ops()[i];
    ops.push_back({.layer = network.layer_of(i), .computed_by = op.computation().by, .slow = op.slow(i > network.first_trainable())});
  }
  const std::vector<std::size_t> trainable = trainable_ops(network);
  for (std::size_t layer = 0; layer < trainable.size(); ++layer) ops[trainable[layer]].exchange = exchange.layers[layer];
  return ops;
}

MemoryNeed memory_need(const ModelState& model, std::int64_t truth_width, const TrainingPlan& plan) {
  MemoryNeed need = MemoryNeed::of(*model.network, model.optimizer->slots().size(), plan.grains.own_slots(), truth_width, true);
  need.batch = plan.batch_size;
  need.taken = need.weights;
  need.shared = shared_bytes(*model.network, *model.optimizer, plan.grains, plan.exchange, plan.job);
  return need;
}

/// Rows are those of all grains, empty slots included. With factors every host forms the whole gradient.
double operations(const Network& network, const TrainingPlan& plan) {
  double sum = 0;
  for (std::size_t i = 0; i < network.ops().size(); ++i) {
    const Op& op = *network.ops()[i];
    double times = 1;
    if (i > network.first_trainable()) ++times;
    if (op.trainable()) times += plan.ops[i].exchange == LayerExchange::factors ? plan.job.hosts : 1;
    sum += times * op.computation().operations;
  }
  return sum * static_cast<double>(plan.grains.count * plan.grains.rows);
}

/// What depends on ops and allreduce, which are chosen last.
void describe(TrainingPlan& plan, const ModelState& model) {
  plan.ops = plan_ops(*model.network, plan.exchange);
  plan.cost = {operations(*model.network, plan), bytes_sent(plan.exchange, *model.network, plan.grains, plan.job)};
}

/// "a, b: X; c: Y": layers of the same text together.
std::string by_text(const std::vector<std::pair<std::string, std::string>>& layers) {
  std::string text;
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const auto& [layer, what] = layers[i];
    text += layer + (i + 1 == layers.size() ? ": " + what : layers[i + 1].second == what ? ", " : ": " + what + "; ");
  }
  return text;
}

}  // namespace

RowSplit split_rows(const Dataset& data, const FitOptions& options) {
  const double fraction = options.validation_split;
  if (options.validation_data != nullptr || fraction == 0) return {{0, data.rows()}};
  const auto at = static_cast<std::int64_t>(std::floor(static_cast<double>(data.rows()) * (1.0 - fraction)));  // in double, as Keras does
  if (!(fraction > 0 && fraction < 1) || at == 0 || at == data.rows()) {
    throw Error("validation_split " + std::to_string(fraction) + " of " + data.description() + " (" + std::to_string(data.rows()) +
                    " rows) leaves no row on one side; it must lie between 0 and 1",
                kUsage);
  }
  return {{0, at}, {at, data.rows()}};
}

Grains TrainingPlan::grains_of(int rank) const { return cut_grains(sampler.slots(), rank, job.ranks); }

std::int64_t TrainingPlan::rows_of(int rank) const {
  const Grains of = grains_of(rank);
  return std::max<std::int64_t>(0, std::min(of.first_slot() + of.own_slots(), sampler.slots()) - of.first_slot());
}

std::string TrainingPlan::allreduce() const { return exchange.factors ? "factors" : exchange.allreduce.text(); }

std::string TrainingPlan::exchanges() const {
  std::string text;
  for (const OpPlan& op : ops) {
    if (op.exchange) text += (text.empty() ? "" : ", ") + op.layer + ": " + std::string(name_of(*op.exchange));
  }
  return text;
}

std::string TrainingPlan::computed_by() const {
  std::vector<std::pair<std::string, std::string>> layers;
  for (const OpPlan& op : ops) {
    if (op.exchange) layers.emplace_back(op.layer, op.computed_by);
  }
  return by_text(layers);
}

std::vector<std::string> TrainingPlan::slow() const {
  std::vector<std::string> warnings;
  for (const OpPlan& op : ops) {
    if (op.slow.empty()) continue;
    warnings.push_back("layer '" + op.layer + "' computes " + op.slow +
                       ", about a hundred times slower than other code of oneDNN; other numbers of channels or groups avoid it");
  }
  return warnings;
}

TrainingPlan outline_plan(const ModelState& model, const Dataset& train, const FitOptions& options, const JobShape& job) {
  check_exchange(options);
  const Network& network = model.built();
  const RowSplit rows = split_rows(train, options);
  const Sampler sampler(rows.train.size(), options.batch_size, options.shards, model.seed, options.shuffle);
  const Grains grains = cut_grains(sampler.slots(), job.rank, job.ranks);
  TrainingPlan plan{.job = job,
                    .rows = rows,
                    .batch_size = options.batch_size,
                    .sampler = sampler,
                    .grains = grains,
                    .threads = std::max(1, options.threads),
                    .dtype_policy = decide_dtype(model.policy, options.batch_size, has_bfloat16()),
                    .arithmetic = model.arithmetic,
                    .exchange = plan_exchange({options.exchange, options.allreduce, options.reproducible}, network, grains, job.hosts),
                    .ops = {},
                    .memory = {},
                    .cost = {}};
  plan.memory = memory_need(model, train.truth_width(), plan);
  describe(plan, model);
  return plan;
}

TrainingPlan make_plan(ModelState& model, const Dataset& train, const FitOptions& options, const World& world) {
  std::optional<TrainingPlan> plan;
  world.agree([&] {
    plan = outline_plan(model, train, options, shape_of(world));
    plan->memory.check(world.local_size());
  });
  choose_dtype(model, options.batch_size, world);
  if (options.reproducible) check_equal_arithmetic(world);
  plan->dtype_policy = model.policy;
  plan->threads = threads_for_rank(world, options.threads);
  if (!plan->exchange.factors && plan->exchange.allreduce.empty()) plan->exchange.allreduce = measure_allreduce(world);
  if (plan->exchange.factors) plan->exchange.far = ranks_are_far(world);
  plan->memory.shared = shared_bytes(*model.network, *model.optimizer, plan->grains, plan->exchange, plan->job);
  describe(*plan, model);
  return *plan;
}

}  // namespace lockstep
