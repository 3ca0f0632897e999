#pragma once
#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <vector>

#include "cluster/allreduce.h"
#include "cluster/world.h"

namespace lockstep {

/// One layer's contribution to a step: its kernel's gradient is X^T D with X (rows, in) the layer's input and D (rows, out) dL/d(x W + b),
/// rows being this rank's slots of the global batch.
struct LayerGradient {
  const float* activations = nullptr;  ///< X
  const float* deltas = nullptr;       ///< D, already divided by the rows of the global batch
  std::int64_t in = 0, out = 0;
  std::int64_t offset = 0;  ///< of this layer's weights (kernel, then bias) in the flat gradient buffer
  std::int64_t count = 0;   ///< floats there, padding included
};

/// What stands between backward and optimizer. Backward hands over each layer as soon as its deltas are complete, last layer first; after
/// finish() the flat gradient buffer holds the gradient of the global batch on every rank. Whether local gradients are formed and summed
/// (AllreduceExchange) or the factors X and D travel and no local gradient ever exists is the exchange's own business; the layer only
/// knows how to form a gradient from factors.
class Exchange {
 public:
  /// Forms kernel rows and bias of layer `index` from `rows` rows of its factors into the flat gradient buffer.
  using Form = std::function<void(std::size_t index)>;

  virtual ~Exchange() = default;
  /// The flat gradient buffer (64-byte aligned, zeroed), in memory that suits the exchange.
  virtual std::span<float> gradients() = 0;
  /// Layer `index` (order of registration) is complete on this rank. Collective: all ranks call it for the same layers in the same order.
  virtual void ready(std::size_t index) = 0;
  /// Collective. On return the gradient is that of the global batch, and every flag is the sum of all ranks' flags.
  virtual void finish() = 0;
  /// Small numbers that travel with the gradients (requests to stop or to save): set before finish(), read after it.
  virtual std::span<float> flags() = 0;
  /// Seconds spent in communication so far.
  virtual double seconds() const = 0;
};

/// Local gradients, summed by an allreduce. `layers`: in the order in which backward finishes them.
std::unique_ptr<Exchange> make_allreduce_exchange(Allreduce& allreduce, std::vector<LayerGradient> layers, std::int64_t count, Exchange::Form form);

}  // namespace lockstep
