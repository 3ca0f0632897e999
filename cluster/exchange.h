#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "cluster/allreduce.h"

namespace lockstep {

/// What one call forms: the gradient of kernel rows [first, last) of a layer and, with `bias`, of its bias; `offset`, `count`: its slice of the
/// flat buffers. Blocks depend on the model alone, never on the number of ranks, so an element is always summed by the same call.
struct GradientBlock {
  std::size_t layer = 0;  ///< in the order of ready()
  std::int64_t first = 0, last = 0;
  bool bias = false;
  std::int64_t offset = 0, count = 0;
};

/// What stands between backward and optimizer. A Dense layer's gradient is X^T D over the rows of the global batch: X (rows, in) its
/// activations, D (rows, out) its deltas. Whether every rank forms it from its own rows and the results are summed, or the factors X and D are
/// seen by all ranks and each forms a slice of the gradient over all rows, is the exchange's own business.
///
/// A step: ready() for each layer as backward finishes it, finish(), then the optimizer on own(), then publish().
class Exchange {
 public:
  /// Forms the gradients of these blocks in gradients(), from the rows in this rank's sight: its own, or with shared() the whole batch.
  using Form = std::function<void(std::span<const GradientBlock>)>;

  virtual ~Exchange() = default;
  virtual std::string_view name() const = 0;
  /// Whether allocate() gives memory that all ranks see. Then activations and deltas of the whole batch, the weights and the optimizer's
  /// slots must lie there.
  virtual bool shared() const = 0;
  /// Zeroed floats on a 64-byte boundary, owned by this object. Collective.
  virtual std::span<float> allocate(std::int64_t count) = 0;
  /// The flat gradient buffer.
  virtual std::span<float> gradients() = 0;
  /// Layer `index` is complete on this rank. All ranks call it for the same layers in the same order, last layer first.
  virtual void ready(std::size_t index) = 0;
  /// Collective. On return own() of gradients() is that of the global batch, and every flag is the sum of all ranks' flags.
  virtual void finish() = 0;
  /// The slice [offset, offset + count) of the flat buffers that this rank has to update: its blocks.
  virtual std::span<const GradientBlock> own() const = 0;
  /// Collective, between finish() and publish(): what ranks wrote to shared memory before is seen by all after it.
  virtual void synchronize() = 0;
  /// Collective: the update is done. On return every rank's weights are those of all slices.
  virtual void publish() = 0;
  /// Small numbers that travel with the gradients (requests to stop or to save): set before finish(), read after it. 16 of them.
  virtual std::span<float> flags() = 0;
  /// Seconds spent in communication so far: what the step waited for.
  virtual double seconds() const = 0;

  static constexpr std::size_t kFlags = 16;  // a cache line
};

/// Local gradients, summed by an allreduce, which must outlive it; own() is everything. `blocks`: of all layers, last layer first, in the
/// order of their offsets and without gaps. Collective.
std::unique_ptr<Exchange> make_allreduce_exchange(Allreduce& allreduce, std::vector<GradientBlock> blocks, Exchange::Form form);

/// Factors in memory that the ranks share, which must be on one host (Xie et al. 2015, arXiv 1511.08486, without the sending): no local
/// gradient ever exists, nothing is summed over ranks, and no order of additions depends on their number. Two barriers a step. Collective.
std::unique_ptr<Exchange> make_factor_exchange(const World& world, std::vector<GradientBlock> blocks, Exchange::Form form);

}  // namespace lockstep
