#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "cluster/trace/trace.h"
#include "cluster/world.h"
#include "core/compile/optimizers/optimizer.h"
#include "core/data/sampler.h"
#include "core/exchange/bfloat16_factors.h"
#include "core/exchange/block_forms.h"
#include "core/exchange/exchange.h"
#include "core/exchange/exchange_plan.h"
#include "core/exchange/gradient_blocks.h"
#include "core/exchange/options.h"
#include "core/exchange/tree_gradients.h"
#include "core/network/pass.h"

namespace lockstep {

/// One rank's part in a step from the forward pass to the updated weights: the pass, the exchange that gives it memory, the blocks of the
/// gradient and how each is formed. A step: forward(), backward(), finish(), update(). It allocates nothing and takes no lock of ours.
class Gradients {
 public:
  struct Options {
    ExchangePlan exchange;
    ExchangeProgress progress = ExchangeProgress::automatic;
    int threads = 1;
    Trace* trace = nullptr;
  };
  /// Moves the weights and the optimizer's slots to where the exchange wants them. Collective.
  Gradients(Network& network, Optimizer& optimizer, const Grains& grains, const World& world, const Options& options);
  /// They move back.
  ~Gradients();
  Gradients(const Gradients&) = delete;
  Gradients& operator=(const Gradients&) = delete;

  Pass& pass() { return pass_; }
  /// `block`: step, training, logits; first_slot of the first grain.
  void forward(const Block& block);
  /// From the pass' output_deltas(). Whatever can be sent is sent on the way.
  void backward(const Block& block);
  /// Collective. The gradient is that of the global batch then, and flags() are summed over ranks.
  void finish();
  /// The optimizer's step. Collective.
  void update();
  /// Brings all weights to every rank, or to rank 0; before anybody looks at them. Collective.
  void complete(WeightScope scope) {
    if (shared_ != nullptr) shared_->complete(scope);
  }

  /// With use_ema: puts the moving averages in the place of the weights, which are complete. Collective.
  void take_averages();

  std::span<float> flags() { return exchange_->flags(); }
  /// Spent in communication so far.
  double seconds() const { return exchange_->seconds() + batch_sums_.seconds(); }
  /// Whether factors are exchanged: then gradients are formed by finish().
  bool shares_factors() const { return shared_ != nullptr; }
  bool regularized() const { return regularized_; }
  /// Layers with trainable weights.
  std::size_t layers() const { return trainable_.size(); }

 private:
  const Op& op_of(std::size_t layer) const { return *network_.ops()[trainable_[layer]]; }
  std::unique_ptr<Exchange> make_exchange();
  Pass::Options pass_options();
  std::span<float> allocate_values(std::size_t i, std::int64_t count);
  void share_state();
  void add_tree_layer(std::size_t layer);
  void choose_columns();
  std::unique_ptr<BlockForm> choose_form(std::size_t layer);
  void prepare_gradient(std::size_t layer);
  bool in_tree(std::size_t layer) const { return options_.exchange.layers[layer] == LayerExchange::tree; }
  void multiply_columns();
  void form_leaf(const GradientBlock& block, std::int64_t grain, int thread, float* to);
  void form_due();
  void form(std::span<const GradientBlock> blocks);
  void choose_variables();
  void form_updates();
  template <class Work>
  void change_weights(const Work& work);
  void constrain();
  void penalize(const GradientBlock& block);
  void gather(const GradientBlock& block);
  void update(const GradientBlock& block);
  template <class Work>
  void in_exchange(const Work& work) {
    const TraceSpan span(options_.trace, SpanKind::exchange);
    work();
  }

  Network& network_;
  Optimizer& optimizer_;
  Grains grains_;
  const World& world_;
  Options options_;
  bool regularized_;
  GradientCut cut_;
  std::span<const std::size_t> trainable_;  // ops with trainable weights, last first: the order of the exchange
  bool in_place_;                           // a kernel's gradient goes straight into the kernel, but in trees_
  TreeGradients trees_;
  std::vector<Pass::Columns> columns_;         // of the first layer's output that this rank computes where columns stay with ranks
  std::vector<Pass::Columns> columns_of_all_;  // those that every rank computes for its own rows, where others stay
  std::unique_ptr<Allreduce> allreduce_;
  std::unique_ptr<Exchange> exchange_;
  SharedFactors* shared_;  // exchange_'s; null: gradients are summed
  bool columns_stay_;
  bool at_once_;  // a block is updated as soon as its gradient is formed
  BatchSums batch_sums_;
  Pass pass_;
  std::optional<Bfloat16Factors> bfloat16_;        // where products are in bfloat16
  std::vector<std::unique_ptr<BlockForm>> forms_;  // of each layer
  std::vector<std::size_t> own_variables_;         // whose whole updates this rank forms, where the optimizer needs that
};

}  // namespace lockstep
