#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "cluster/buffer.h"
#include "core/data/shape.h"
#include "core/layers/layers.h"

namespace lockstep {

/// What an op is told about the block of rows it works on.
struct Block {
  std::int64_t rows = 0;
  std::int64_t first_slot = 0;  ///< place of the first row in the global batch
  std::int64_t step = 0;        ///< global step, for dropout's masks
  bool training = false;
  bool logits = false;  ///< the last op leaves its softmax or sigmoid to the loss
  int thread = 0;       ///< number of the calling thread, below the `threads` of prepare()
};

/// The flat buffers' view of a kernel and a bias.
struct DenseWeights {
  std::int64_t layer = 0;                    ///< index into the model's layers
  std::int64_t in = 0, out = 0, repeat = 1;  ///< the kernel is applied to `repeat` vectors of `in` floats per row
  std::int64_t kernel = 0;                   ///< offset of the kernel (in, out)
  std::int64_t bias = -1;                    ///< offset of the bias (out); -1: none
  std::int64_t offset = 0, count = 0;        ///< the slice with both, padded to 16 floats
};

/// What computes a layer, forward and backward, on blocks of rows; x (rows, in), y (rows, out). Thread-safe for different Block::thread.
class Op {
 public:
  virtual ~Op() = default;
  /// Before a run, on one thread: makes primitives for blocks of `rows` rows (those for other sizes stay), reads statistics anew.
  virtual void prepare(std::int64_t /*rows*/, int /*threads*/) {}
  virtual void forward(const float* x, float* y, const Block& block) const = 0;
  /// dx = dL/dx from dy = dL/dy; dy is turned into dL/d(pre-activation) on the way, the delta of the weights' gradient. dx null: not
  /// wanted.
  virtual void backward(const float* x, const float* y, float* dy, float* dx, const Block& block) const = 0;
  virtual const DenseWeights* weights() const { return nullptr; }
  /// An op that keeps its weights in another format as well: pieces of it, each of which refresh() makes anew from the weights before every
  /// forward pass of training, with `backward` for input gradients too. prepare() makes all that a forward pass needs.
  virtual std::int64_t refreshes() const { return 0; }
  virtual void refresh(std::int64_t /*piece*/, bool /*backward*/) {}
  /// Not null: all that this op does is x * scale + offset.
  virtual const Rescaling* rescaling() const { return nullptr; }
  /// Whether a row's result has the same bits in a block of any size. If so nothing need be prepared for a size. Ops without weights work
  /// element by element or row by row.
  virtual bool any_rows() const { return weights() == nullptr; }
  /// Ops with weights: forward in two parts, of which the first can be done column by column. multiply: columns [column, column + columns)
  /// of the product, y = x W and what comes with it at no cost, for `rows` rows; finish: the rest of y = f(x W + b) for whole rows.
  virtual void multiply(const float* /*x*/, float* /*y*/, std::int64_t /*rows*/, std::int64_t /*column*/, std::int64_t /*columns*/) const {}
  virtual void finish(float* /*y*/, const Block& /*block*/) const {}

  std::int64_t in = 0, out = 0;  ///< floats per row
};

/// Dense without an activation that needs its pre-activation; `base` points at the (movable) flat parameter buffer.
std::unique_ptr<Op> make_dense_op(const DenseWeights& weights, ActivationFunction activation, float* const* base);
/// The same with products in bfloat16 (core/math/bfloat16.h).
std::unique_ptr<Op> make_bfloat16_dense_op(const DenseWeights& weights, ActivationFunction activation, float* const* base);
std::unique_ptr<Op> make_activation_op(ActivationFunction function, std::int64_t elements, std::int64_t last_axis);
std::unique_ptr<Op> make_rescaling_op(const Rescaling& layer, std::int64_t elements);
std::unique_ptr<Op> make_dropout_op(const Dropout& layer, std::int64_t elements, std::uint64_t seed, std::uint32_t id);
std::unique_ptr<Op> make_normalization_op(const Normalization& layer, const Shape& input);

/// Axes of the sample (0-based, ascending) that a Normalization keeps, and their lengths. An axis that does not exist: Error (kUsage).
std::vector<std::size_t> kept_axes(const Normalization& layer, const Shape& input);
/// Index of the statistic of every element of a sample; `count` statistics in all.
struct StatisticIndex {
  std::vector<std::int32_t> of_element;
  std::int64_t count = 1;
};
StatisticIndex statistic_index(const Normalization& layer, const Shape& input);

}  // namespace lockstep
