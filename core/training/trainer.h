#pragma once
#include <cstdint>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "cluster/world.h"
#include "core/compile/scorer.h"
#include "core/data/dataset.h"
#include "core/data/sampler.h"
#include "core/exchange/bfloat16_factors.h"
#include "core/exchange/exchange.h"
#include "core/exchange/gradient_blocks.h"
#include "core/exchange/tree_gradients.h"
#include "core/layers/pass.h"
#include "core/training/callbacks.h"
#include "core/training/model_state.h"

namespace lockstep {

/// One rank's part in training steps: reads its grains of the global batch, forward, loss, backward, exchange, update. In steady state a
/// step allocates nothing and takes no lock of ours.
class Trainer {
 public:
  /// Collective (opens this rank's rows; an unreadable file is an AgreedError).
  Trainer(ModelState& model, const Dataset& data, const FitOptions& options, const World& world, int threads);
  ~Trainer();
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// What all ranks together asked for at a step.
  using Request = Callback::Request;

  /// Before the steps of an epoch, from step `first_step` on; `before`: the sums of the steps before it.
  void begin_epoch(std::int64_t epoch, std::int64_t first_step, const EpochSums& before = {});
  /// The next step. Collective. Returns the union of all ranks' requests. Rows that a rank could not read are an AgreedError.
  Request step(Request own);

  /// Brings all weights to every rank, or to rank 0; before anybody looks at them. Collective.
  void complete(Exchange::Whole whole = Exchange::Whole::everywhere) { exchange_->complete(whole); }

  const Sampler& sampler() const { return sampler_; }
  const Grains& grains() const { return grains_; }
  const StepProfile& profile() const { return profile_; }
  StepProfile& profile() { return profile_; }
  /// Running loss and metrics of this rank's rows.
  std::vector<double> running() const;
  /// Loss and metrics of the epoch's steps so far over all ranks, loss first. Collective.
  std::vector<double> results();
  /// What results() is made of. Collective.
  EpochSums sums();

 private:
  std::uint64_t fingerprint() const;
  [[noreturn]] void disagree() const;
  [[noreturn]] void diverge();
  void read();
  void finish();
  template <class Work>
  void in_exchange(const Work& work) {
    const TraceSpan span(options_.trace, SpanKind::exchange);
    work();
  }
  void compute();
  void forward(const Block& block);
  void score(std::int64_t grain, float scale);
  void weigh_classes();
  std::unique_ptr<Exchange> make_exchange(int threads);
  std::span<float> allocate_values(std::size_t i, std::int64_t count);
  void share_state();
  void form_due();
  void form(std::span<const GradientBlock> blocks);
  void form(const GradientBlock& block);
  void form_leaf(const GradientBlock& block, std::int64_t grain, float* to);
  void add_tree_layer(std::size_t index);
  bool sums_in_tree(std::size_t index) const;
  void form_in_place(const GradientBlock& block);
  void form_bfloat16(const GradientBlock& block);
  const Op& op_of(const GradientBlock& block) const { return *model_.network->ops()[trainable_[block.layer]]; }
  bool in_place(const GradientBlock& block) const { return in_place_ && !trees_.has(block.layer); }
  void penalize(const GradientBlock& block);
  void update();
  void update(const GradientBlock& block);

  ModelState& model_;
  const Dataset& data_;
  const World& world_;
  FitOptions options_;
  bool regularized_ = false;
  Sampler sampler_;
  Grains grains_;
  std::vector<std::size_t> trainable_;  // ops with trainable weights, last first: the order of the exchange
  bool in_place_ = false;               // the kernel's gradient goes straight into the kernel, but in trees_
  TreeGradients trees_;
  std::vector<GradientBlock> blocks_;          // of all layers
  std::vector<Pass::Columns> columns_;         // of the first layer's output that this rank computes; empty: all at once
  std::vector<Pass::Columns> columns_of_all_;  // those that every rank computes for its own rows, where others stay
  std::unique_ptr<Allreduce> allreduce_;
  std::unique_ptr<Exchange> exchange_;
  bool at_once_ = false;  // a block is updated as soon as its gradient is formed
  Pass pass_;
  std::optional<Bfloat16Factors> bfloat16_;  // where gradients are formed in bfloat16
  Scorer scorer_;
  std::unique_ptr<RowReader> reader_;
  std::exception_ptr unread_;  // why this rank could not read its rows of the step

  std::vector<std::int64_t> order_;              // (steps, own slots) of the epoch
  std::int64_t step_ = 0;                        // of the epoch, the next one
  std::vector<float> truth_, weight_, present_;  // (own slots, ...) of the step
  Buffer probabilities_;
  std::vector<double> value_;
  double penalty_ = 0;  // sum over steps of penalty times rows
  double rows_ = 0;     // of the epoch so far, all ranks
  StepProfile profile_;
};

}  // namespace lockstep
