#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cluster/world.h"
#include "core/data/dataset.h"
#include "core/data/sampler.h"
#include "core/exchange/exchange_plan.h"
#include "core/network/arithmetic.h"
#include "core/network/dtype_policy.h"
#include "core/network/memory_need.h"

namespace lockstep {

struct FitOptions;
struct ModelState;

/// The rows of a data set that are trained on, and those that validate.
struct RowSplit {
  RowRange train;
  RowRange validation = {0, 0};  ///< empty without validation_split
};
/// Keras' validation_split: the last rows validate. One that leaves no row on a side is an Error (kUsage).
RowSplit split_rows(const Dataset& data, const FitOptions& options);

/// An op of the model, first to last.
struct OpPlan {
  std::string layer;                           ///< that it belongs to
  std::string computed_by;                     ///< "own kernels, AVX512"
  std::optional<LayerExchange> exchange = {};  ///< of its gradient; none: it has no weights to train
  std::string slow = {};                       ///< what of it only reference code computes (Op::slow); empty: nothing
};

/// What a full batch takes, counted and not measured.
struct StepCost {
  double operations = 0;  ///< floating-point operations of all ranks together
  double sent = 0;        ///< bytes that this rank sends to others by messages (bytes_sent)
};

/// What a training is going to do, worked out once before the first step from model, data, options and ranks. All ranks have the same, save
/// what says "this rank's".
struct TrainingPlan {
  JobShape job;                                     ///< this rank's
  RowSplit rows;                                    ///< of the training data set
  std::int64_t batch_size = 0;                      ///< of all ranks together
  Sampler sampler;                                  ///< of the rows that are trained on
  Grains grains;                                    ///< this rank's
  int threads = 1;                                  ///< this rank's
  DtypePolicy dtype_policy = DtypePolicy::float32;  ///< not `automatic`
  Arithmetic arithmetic = Arithmetic::onednn;
  ExchangePlan exchange;
  std::vector<OpPlan> ops;
  MemoryNeed memory;  ///< this rank's
  StepCost cost;      ///< sent: this rank's

  std::int64_t steps_per_epoch() const { return sampler.steps(); }
  /// The grains of any rank, and its rows of a full batch.
  Grains grains_of(int rank) const;
  std::int64_t rows_of(int rank) const;
  /// What carries gradients: "factors", or the allreduce that sums them.
  std::string allreduce() const;
  /// "dense: factors, dense_1: tree": the layers with weights to train.
  std::string exchanges() const;
  /// "dense, dense_1: own kernels, AVX512": the same layers.
  std::string computed_by() const;
  /// "layer 'conv2d' computes its forward pass by ref:any ...": a warning for each layer that only reference code computes.
  std::vector<std::string> slow() const;
};

/// The plan of one rank of such a job, as far as it is known without the other ranks: an allreduce is not measured, the number of threads
/// is what the options say, and `automatic` types are those of this CPU. For a model that is built and compiled. Options that exclude each
/// other are an Error (kUsage). Not collective.
TrainingPlan outline_plan(const ModelState& model, const Dataset& train, const FitOptions& options, const JobShape& job);

/// The whole plan. Decides the model's dtype policy where it is automatic, chooses its ops, and measures the allreduce where one is needed
/// and left open. Checks what all ranks can do: room in memory, bfloat16, and for reproducible training equal arithmetic. Collective, and
/// so are its Errors.
TrainingPlan make_plan(ModelState& model, const Dataset& train, const FitOptions& options, const World& world);

}  // namespace lockstep
