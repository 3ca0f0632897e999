#pragma once
#include <cstdint>
#include <functional>
#include <memory>
#include <span>

#include "cluster/allreduce.h"

namespace lockstep {

/// What stands between backward and optimizer. Backward hands over each layer as soon as its activations X and deltas D are complete on
/// this rank, last layer first; after finish() the flat gradient buffer holds the gradient of the global batch, on every rank.
///
/// A layer's gradient is X^T D over the rows of the global batch. Whether every rank forms it from its own rows and the results are summed
/// (AllreduceExchange), or the factors X and D travel and no local gradient ever exists, is the exchange's own business: it calls `form`
/// when it wants a gradient.
class Exchange {
 public:
  /// Forms the gradient of layer `index` from this rank's rows into its slice of gradients(), overwriting it; zeros if it has no row.
  using Form = std::function<void(std::size_t index)>;

  virtual ~Exchange() = default;
  /// The flat gradient buffer (64-byte aligned, zeroed), in memory that suits the exchange.
  virtual std::span<float> gradients() = 0;
  /// Layer `index` is complete on this rank. All ranks call it for the same layers in the same order.
  virtual void ready(std::size_t index) = 0;
  /// Collective. On return gradients() is that of the global batch, and every flag is the sum of all ranks' flags.
  virtual void finish() = 0;
  /// Small numbers that travel with the gradients (requests to stop or to save): set before finish(), read after it. 16 of them.
  virtual std::span<float> flags() = 0;
  /// Seconds spent in communication so far: what the step waited for.
  virtual double seconds() const = 0;
};

/// Local gradients, summed by an allreduce, which must outlive it. `count`: floats in the flat gradient buffer. Collective.
std::unique_ptr<Exchange> make_allreduce_exchange(Allreduce& allreduce, std::int64_t count, Exchange::Form form);

}  // namespace lockstep
