#pragma once
#include <cstdint>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "cluster/collectives/allreduce.h"
#include "core/compile/variable_range.h"
#include "core/exchange/options.h"

namespace lockstep {

/// What `wanted` means for a rank of `threads` threads: not `automatic`. `thread` without MPI_THREAD_MULTIPLE is an Error (kUsage).
/// Collective.
ExchangeProgress choose_progress(const World& world, ExchangeProgress wanted, int threads);

/// What one call forms: the gradient of kernel rows [first, last) of a layer and, with `bias`, of its bias; `offset`, `count`: its slice of
/// the flat buffers. Save `stays`, blocks depend on the model alone, never on the number of ranks, so an element is always summed by the
/// same call.
///
/// With `columns` > 0 it is the kernel's columns [column, column + columns) in all rows instead, no slice: `offset` is that of the first
/// element, rows are `stride` floats apart, and `count` is the number of elements.
struct GradientBlock {
  std::size_t layer = 0;  ///< in the order of ready()
  std::int64_t first = 0, last = 0;
  bool bias = false;
  std::int64_t offset = 0, count = 0;
  std::int64_t column = 0, columns = 0, stride = 0;
  bool stays = false;  ///< columns whose owner also computes their outputs for the whole batch, so that no other rank needs them; all ranks
                       ///< on one host
  bool joins = false;  ///< one call may form it together with those beside it: no element's sum depends on that
};

/// The rows of all ranks of a layer's activations X or deltas D, from allocate(); this rank fills [offset, offset + count).
struct Factor {
  std::span<float> rows;
  std::int64_t offset = 0, count = 0;
};

/// Whose weights SharedFactors::complete() makes whole.
enum class WeightScope { every_rank, rank_0 };

/// What an exchange of factors offers beside Exchange. The activations and deltas of the whole batch, the weights and the optimizer's slots
/// lie in memory that all ranks of this host see.
class SharedFactors {
 public:
  virtual ~SharedFactors() = default;
  /// Zeroed floats for the weights. With replicates() they are this rank's own copy, which publish() keeps equal to the others'.
  /// Collective.
  virtual std::span<float> allocate_weights(std::int64_t count) = 0;
  virtual bool replicates() const = 0;
  /// Tells where the factors of the next layer lie, in the order of ready(). Collective.
  virtual void watch(const Factor& activations, const Factor& deltas) = 0;
  /// This rank's activations of all layers are complete.
  virtual void forwarded() = 0;
  /// Whether there are blocks of columns that stay with their ranks.
  virtual bool columns_stay() const = 0;
  /// Zeroed floats of which every rank has a copy of its own and fills a part, [offset, offset + own), once. Only with columns_stay().
  /// Collective, and so is collect(), which brings every rank's part into all copies.
  virtual std::span<float> allocate_copies(std::int64_t count, std::int64_t offset, std::int64_t own) = 0;
  virtual void collect() = 0;
  /// Collective, between steps. For rank 0 alone, what a checkpoint needs, the other ranks do not wait until it has them.
  virtual void complete(WeightScope scope) = 0;
};

/// What stands between backward and optimizer. A product's gradient is X^T D over the rows of the global batch: X (rows, in) its
/// activations, D (rows, out) its deltas. Whether every rank forms it from its own rows and the results are summed, or the factors X and D
/// are seen by all ranks and each forms a slice of the gradient over all rows, is the exchange's own business.
///
/// A step: ready() for each layer as backward finishes it; finish(); the optimizer on own(); publish(). After each ready() and after
/// finish() the caller forms the blocks that are due(), in gradients(), from the rows in this rank's sight: its own, or with factors() the
/// whole batch.
class Exchange {
 public:
  virtual ~Exchange() = default;
  virtual std::string_view name() const = 0;
  /// Null: gradients are summed.
  virtual SharedFactors* factors() { return nullptr; }
  /// Zeroed floats on a 64-byte boundary, owned by this object; seen by all ranks of this host with factors(). Collective.
  virtual std::span<float> allocate(std::int64_t count) = 0;
  /// The flat gradient buffer.
  virtual std::span<float> gradients() = 0;
  /// Layer `index` is complete on this rank. All ranks call it for the same layers in the same order, last layer first.
  virtual void ready(std::size_t index) = 0;
  /// Blocks to form now; empty: none until the next ready() or finish(). Once they are, formed() hands them over, and others may be due.
  virtual std::span<const GradientBlock> due() = 0;
  virtual void formed(std::span<const GradientBlock> blocks) = 0;
  /// Collective. Every flag is then the sum of all ranks' flags and, once all that is due has been formed, own() of gradients() is that of
  /// the global batch.
  virtual void finish() = 0;
  /// The blocks that this rank has to update.
  virtual std::span<const GradientBlock> own() const = 0;
  /// Collective, between finish() and publish(): what ranks wrote to shared memory before is seen by all after it.
  virtual void synchronize() = 0;
  /// Collective: the update is done. On return every rank's weights are those of all blocks, save those that stay.
  virtual void publish() = 0;
  /// Small numbers that travel with the gradients (requests to stop or to save): set before finish(), read after it. 16 of them.
  virtual std::span<float> flags() = 0;
  /// Seconds spent in communication so far: what the step waited for.
  virtual double seconds() const = 0;

  static constexpr std::size_t kFlags = 16;  // a cache line
};

/// Local gradients, summed by an allreduce, which must outlive it; own() is everything. `blocks`: of all layers, last layer first, in the
/// order of their offsets and without gaps. `progress`: from choose_progress(). Collective.
std::unique_ptr<Exchange> make_allreduce_exchange(Allreduce& allreduce, std::vector<GradientBlock> blocks, ExchangeProgress progress);

/// Factors (Xie et al. 2015, arXiv 1511.08486): no local gradient ever exists, nothing is summed over ranks, and no order of additions
/// depends on their number. The ranks of a host share them in memory, so that nothing is sent, and divide the gradient among themselves;
/// every host gets the other hosts' rows by messages and forms the whole gradient. Two barriers a step. `written`: the floats of
/// gradients() that are used. `far`: each rank has its own copy of the weights. Collective.
std::unique_ptr<Exchange> make_factor_exchange(const World& world, std::vector<GradientBlock> blocks,
                                               const std::vector<VariableRange>& written, bool far);

}  // namespace lockstep
