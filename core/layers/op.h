#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "cluster/buffer.h"
#include "cluster/error.h"
#include "core/compile/variable_range.h"
#include "core/data/shape.h"
#include "core/layers/layer.h"
#include "core/math/window.h"

namespace lockstep {

/// A pass through a network.
enum class Direction { forward, backward };

/// What an op is told about the block of rows it works on.
struct Block {
  std::int64_t rows = 0;
  std::int64_t first_slot = 0;  ///< place of the first row in the global batch
  std::int64_t step = 0;        ///< global step, for dropout's masks
  bool training = false;
  bool logits = false;             ///< the last op leaves its softmax or sigmoid to the loss
  float row_scale = 1;             ///< what a row of the loss is multiplied with: 1 / rows of the batch
  int thread = 0;                  ///< number of the calling thread, below the `threads` of prepare()
  const float* present = nullptr;  ///< of every row: 1, or 0 of a slot without a row, which must not count; null: all are there

  bool has_row(std::int64_t row) const { return present == nullptr || present[row] != 0; }
};

/// A weight of an op, under Keras' name.
struct Weight {
  std::string name;  ///< "kernel", "bias"
  Shape shape;
  std::optional<Initializer> initializer = {};  ///< none: the op sets its values
  Regularizer regularizer = {};
  Constraint constraint = {};
  bool trainable = true;
  std::int64_t offset = 0;  ///< of a trainable weight: where it starts in the flat buffers, set by Op::place()
};

struct ScaleAndOffset {
  float scale = 1, offset = 0;
};

/// What computes products: oneDNN; kernels of our own, whose sums have one order on every CPU; those in bfloat16.
enum class Products { onednn, portable, bfloat16 };

/// A product y = x W + b. Its gradient is X^T D for W and the sum of D's rows for b, so an exchange can send the factors X and D instead.
struct Product {
  std::int64_t in = 0, out = 0, repeat = 1;  ///< W is applied to `repeat` vectors of `in` floats per row
  std::int64_t kernel = 0;                   ///< offset of W (in, out) in the flat buffers
  std::int64_t bias = -1;                    ///< offset of b (out); -1: none
  bool in_columns = false;                   ///< columns of y and of W's gradient have the same bits when they are computed apart
};

/// The part of a product's gradient in a slice of the flat buffers that starts and ends with a kernel row.
struct ProductPart {
  std::int64_t first, last;  ///< rows of the kernel
  bool bias;
};
ProductPart part_of(const Product& product, VariableRange slice);

/// A row that an op cannot compute with.
struct RowFlaw {
  std::int64_t slot;  ///< as Block::first_slot counts
  std::string what;   ///< "7 is not a whole number from 0 to 4"
};

/// Rows [first, last) and columns [column, column + columns) of a product's kernel.
struct KernelPart {
  std::int64_t first, last, column, columns;
};

/// What computes an op, and how much forward is.
struct Computation {
  std::string by;     ///< for people: "own kernels, AVX512"
  double operations;  ///< floating-point operations for a row, about; backward has as many for each gradient that is wanted
};

/// What computes a layer, forward and backward, on blocks of rows; x (rows, in), y (rows, out). Thread-safe for different Block::thread.
class Op {
 public:
  virtual ~Op() = default;
  /// Before a run, on one thread: makes primitives for blocks of `rows` rows, or where row_count_invariant() of up to `rows` rows (those
  /// for other sizes stay), reads statistics anew.
  virtual void prepare(std::int64_t /*rows*/, int /*threads*/) {}
  virtual void forward(const float* x, float* y, const Block& block) const = 0;
  /// dx = dL/dx from dy = dL/dy; dy is turned into dL/d(pre-activation) on the way, the delta of the weights' gradient. dx null: not
  /// wanted.
  virtual void backward(const float* x, const float* y, float* dy, float* dx, const Block& block) const = 0;

  /// In Keras' order.
  const std::vector<Weight>& weights() const { return weights_; }
  /// The values of weights()[i], wherever they lie.
  virtual std::span<float> values(std::size_t i);
  /// Puts the trainable weights one after the other, from `offset` on, into the flat buffers. `base` points at that of the parameters,
  /// which may move.
  virtual void place(float* const* base, std::int64_t offset);
  /// The weights stay as they are: the op does in training what it does otherwise. Before place().
  void freeze() { frozen_ = true; }
  bool frozen() const { return frozen_; }
  /// The trainable weights in the flat buffers, frozen or not, padded with zeros to whole cache lines.
  VariableRange slice() const { return slice_; }
  std::int64_t padding() const { return padding_; }
  /// Whether it has weights that training changes.
  bool trainable() const { return slice_.count > 0 && !frozen_; }
  /// The pieces of slice() whose gradients are computed apart, by other threads or ranks; in order, without gaps. They depend on the op
  /// alone, so that an element is always summed by the same call. Default: one piece.
  virtual std::vector<VariableRange> parts() const { return {slice_}; }
  /// Writes one of parts() of the weights' gradient, the sum over the block's rows, to to[0, part.count); padding may be left as it is. `x`
  /// is what forward was given, `dy` what backward left. Of the block only rows and thread count; rows may be several times those of
  /// prepare(). An op with trainable weights has this.
  virtual void gradient(const float* x, const float* dy, const Block& block, VariableRange part, float* to) const;
  /// Set: that gradient is among the sums over the global batch that backward got (use_sums). gradient() writes it as it is on every rank.
  virtual bool gradient_in_sums() const { return false; }
  /// Whether ranks had better see x and dy of all rows than add up gradients. gradient() on all rows of the batch has the same bits then,
  /// whatever rank calls it.
  virtual bool exchanges_rows() const { return product() != nullptr; }
  /// Set: it has add_gradient(), which adds `factor` times that gradient to `to` and touches nothing where it is 0.
  virtual bool adds_gradient() const { return false; }
  virtual void add_gradient(const float* /*x*/, const float* /*dy*/, const Block& /*block*/, VariableRange /*part*/, float /*factor*/,
                            float* /*to*/) const {}
  /// Set: rows of its output add a penalty() to the loss, before that is divided by the rows of the batch. `y`: (block.rows, out).
  virtual bool has_penalty() const { return false; }
  virtual double penalty(const float* /*y*/, const Block& /*block*/) const { return 0; }
  /// The first row since the last call that forward could not compute with; it computed something else there.
  virtual std::optional<RowFlaw> take_flaw() { return {}; }
  /// Not null: the trainable weights are those of a product, of which x and dy are the factors.
  virtual const Product* product() const { return nullptr; }
  /// Not null: the op is this convolution, or the one that it is the transposed of.
  virtual const ConvolutionShape* convolution() const { return nullptr; }
  /// Before gradient() is called in training. Of ops that offer a product: makes primitives for blocks of `rows` rows and parts that have
  /// `heights` rows of the kernel, and for those of parts(); with `adds` for add_kernel_gradient(). Of others: `rows` are those of a grain,
  /// by which larger blocks are summed.
  virtual void prepare_gradient(std::int64_t /*rows*/, std::span<const std::int64_t> /*heights*/, bool /*adds*/, int /*threads*/) {}
  /// Of ops that offer a product: kernel += factor * its gradient in this part, without writing the gradient. `to` is the part's first
  /// element. Default: by portable kernels.
  virtual void add_kernel_gradient(const float* x, const float* dy, const Block& block, const KernelPart& part, float factor,
                                   float* to) const;
  virtual Computation computation() const { return {"own loops", static_cast<double>(out)}; }
  /// What of this op the library has only reference code for, about a hundred times slower than the rest, for people: "its forward pass by
  /// ref:any"; empty: nothing. `input_gradient`: that is wanted as well.
  virtual std::string slow(bool /*input_gradient*/) const { return {}; }
  /// Whether this op, or with_products(), computes without oneDNN.
  virtual bool portable() const { return true; }
  /// The same op with its products computed otherwise; null: it has none, or computes so already.
  virtual std::unique_ptr<Op> with_products(Products /*products*/) const { return nullptr; }

  /// How many sums over the global batch this op needs in this pass of training; 0: none. collect_sums() writes one grain's contribution,
  /// on any thread; `dy` is null in the forward pass. All ranks' grains are added in one fixed tree. use_sums() gets the result on one
  /// thread, before forward() or backward().
  virtual std::int64_t batch_sums(Direction /*direction*/) const { return 0; }
  virtual void collect_sums(const float* /*x*/, const float* /*dy*/, const Block& /*block*/, double* /*sums*/) const {}
  virtual void use_sums(Direction /*direction*/, std::span<const double> /*sums*/) {}

  /// An op that keeps its weights in another format as well: pieces of it, each of which refresh() makes anew from the weights before every
  /// forward pass of training, with `backward` for input gradients too. prepare() makes all that a forward pass needs.
  virtual std::int64_t refreshes() const { return 0; }
  virtual void refresh(std::int64_t /*piece*/, bool /*backward*/) {}
  /// Set: all that this op does is x * scale + offset, so that reading can do it.
  virtual std::optional<ScaleAndOffset> scale_and_offset() const { return {}; }
  /// Whether a row's result has the same bits in a block of any size. If so nothing need be prepared for a size. Ops without
  /// trainable weights, frozen or not, work element by element or row by row.
  virtual bool row_count_invariant() const { return slice_.count == 0; }
  /// The activation that ends forward, so that a loss can take its logits. None: what a row means stays as it was.
  virtual std::optional<ActivationFunction> activation() const { return {}; }
  /// Floats that the activation works on at a time: a softmax is over these. A row has one or more of them.
  virtual std::int64_t activation_width() const { return out; }
  /// Ops that offer a product: forward in two parts, of which the first can be done column by column. multiply: columns [column, column +
  /// columns) of the product, y = x W and what comes with it at no cost, for `rows` rows; finish: the rest of y = f(x W + b) for whole
  /// rows.
  virtual void multiply(const float* /*x*/, float* /*y*/, std::int64_t /*rows*/, std::int64_t /*column*/, std::int64_t /*columns*/) const {}
  virtual void finish(float* /*y*/, const Block& /*block*/) const {}

  std::int64_t in = 0, out = 0;  ///< floats per row

 protected:
  float* parameters() const { return *base_; }

  std::vector<Weight> weights_;

 private:
  float* const* base_ = nullptr;
  VariableRange slice_{0, 0};
  std::int64_t padding_ = 0;
  bool frozen_ = false;
};

/// Where a layer stands in its network.
struct LayerSite {
  Shape input;             ///< of a row
  std::size_t index = 0;   ///< among the network's layers
  std::uint64_t seed = 0;  ///< the model's
};

/// A layer made ready: the ops that compute it, in order. None: the same floats in the same order.
struct BuiltLayer {
  Shape output;  ///< of a row
  std::vector<std::unique_ptr<Op>> ops = {};
  std::string name = {}, class_name = {};
};

/// "layer 'dense' (Dense): WHAT", kUsage.
template <class Layer>
Error layer_error(const Layer& layer, const std::string& what) {
  return Error("layer '" + layer.name + "' (" + std::string(Layer::kKind.class_name) + "): " + what, kUsage);
}

/// The number of axes of the layer's input; another one is an Error. `axes`: "(height, width, channels)".
template <class Layer>
void expect_axes(const Layer& layer, const Shape& input, std::size_t count, const std::string& axes) {
  if (input.size() == count) return;
  throw layer_error(layer,
                    "needs rows of shape " + axes + ", found an input of shape " + to_string(input, true) + "; put a Reshape before it");
}

/// `shape` if a row of it can be computed; else an Error that names the layer.
template <class Layer>
Shape fitting(const Layer& layer, Shape shape) {
  if (row_fits(shape)) return shape;
  throw layer_error(layer,
                    "an output of shape " + to_string(shape, true) + " has more than " + std::to_string(kMostElements) + " numbers a row");
}

/// A layer that one op computes.
BuiltLayer one_op(Shape output, std::unique_ptr<Op> op);
/// The same, and the output has the shape of the input.
BuiltLayer same_shape(const LayerSite& site, std::unique_ptr<Op> op);

}  // namespace lockstep
