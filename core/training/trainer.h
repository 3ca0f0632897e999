#pragma once
#include <cstdint>
#include <exception>
#include <memory>
#include <string>
#include <vector>

#include "cluster/world.h"
#include "core/compile/scorer.h"
#include "core/data/dataset.h"
#include "core/data/sampler.h"
#include "core/exchange/gradients.h"
#include "core/network/batch_sums.h"
#include "core/training/callbacks.h"
#include "core/training/model_state.h"
#include "core/training/plan.h"

namespace lockstep {

/// One rank's part in training steps: reads its grains of the global batch, forward, loss, backward, exchange, update. In steady state a
/// step allocates nothing and takes no lock of ours.
class Trainer {
 public:
  /// `data`: the rows that are trained on; `plan` must outlive this. Collective (opens this rank's rows; an unreadable file is an
  /// AgreedError).
  Trainer(ModelState& model, const Dataset& data, const TrainingPlan& plan, const FitOptions& options, const World& world);
  Trainer(const Trainer&) = delete;
  Trainer& operator=(const Trainer&) = delete;

  /// What all ranks together asked for at a step.
  using Request = Callback::Request;

  /// Before the steps of an epoch, from step `first_step` on; `before`: the sums of the steps before it.
  void begin_epoch(std::int64_t epoch, std::int64_t first_step, const EpochSums& before = {});
  /// The next step. Collective. Returns the union of all ranks' requests. Rows that a rank could not read are an AgreedError.
  Request step(Request own);

  /// Brings all weights to every rank, or to rank 0; before anybody looks at them. Collective.
  void complete(WeightScope scope = WeightScope::every_rank) { gradients_.complete(scope); }
  /// With use_ema: puts the moving averages in the place of the weights. After complete(). Collective.
  void take_averages() { gradients_.take_averages(); }

  const Sampler& sampler() const { return sampler_; }
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
  void compute();
  void find_flaw();
  LossRows rows_of(std::int64_t grain);
  void sum_batch();
  double waited_so_far() const;  // for other ranks, seconds
  void score(std::int64_t grain, const Block& block);
  void weigh_classes();

  ModelState& model_;
  const Dataset& data_;
  const World& world_;
  FitOptions options_;
  const Sampler& sampler_;
  const Grains& grains_;
  Gradients gradients_;
  Scorer scorer_;
  BatchSums batch_sums_;  // of losses that need them
  LossBatch batch_;       // of the step
  std::unique_ptr<RowReader> reader_;
  std::exception_ptr unread_;  // why this rank could not read its rows of the step, or compute with them

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
