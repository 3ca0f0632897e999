#include <algorithm>
#include <vector>

#include "core/layers/op.h"
#include "core/math/bfloat16.h"

namespace lockstep {
namespace {

/// Dense with products in bfloat16, Keras' policy mixed_bfloat16: y = f(x W + b), where x, W and dy are rounded to bfloat16 on their way
/// into a product. Sums, bias, activation and everything outside are float32.
class Bfloat16DenseOp final : public Op {
 public:
  Bfloat16DenseOp(const DenseWeights& weights, ActivationFunction activation, float* const* base)
      : weights_(weights),
        activation_(activation),
        base_(base),
        kernel_(weights.in, weights.out),
        transposed_(weights.out, weights.in),
        piece_(bfloat16_piece(weights.out)) {
    in = weights.in * weights.repeat;
    out = weights.out * weights.repeat;
  }

  void prepare(std::int64_t rows, int threads) override {
    if (rows > rows_ || threads > static_cast<int>(scratch_.size())) {
      rows_ = std::max(rows, rows_);
      const Scratch scratch{BfloatRows(rows_ * weights_.repeat, weights_.in), BfloatRows(rows_ * weights_.repeat, weights_.out)};
      scratch_.assign(std::max(scratch_.size(), static_cast<std::size_t>(threads)), scratch);
    }
    for (std::int64_t piece = 0; piece < refreshes(); ++piece) refresh(piece, false);
  }

  std::int64_t refreshes() const override { return (weights_.in + piece_ - 1) / piece_; }

  void refresh(std::int64_t piece, bool backward) override {
    const std::int64_t first = piece * piece_, last = std::min(first + piece_, weights_.in);
    kernel_.take(*base_ + weights_.kernel, first, last);
    if (backward) transposed_.take_transposed(*base_ + weights_.kernel, first, last);
  }

  void forward(const float* x, float* y, const Block& block) const override {
    const std::int64_t rows = block.rows * weights_.repeat;
    BfloatRows& rounded = scratch_[static_cast<std::size_t>(block.thread)].x;
    rounded.take(x, rows);
    bfloat16_product(rounded, rows, kernel_, weights_.bias >= 0 ? *base_ + weights_.bias : nullptr, y);
    if (!block.logits && activation_ != linear) activate(activation_, y, y, rows, weights_.out);
  }

  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    const std::int64_t rows = block.rows * weights_.repeat;
    if (!block.logits && activation_ != linear) activation_gradient(activation_, nullptr, y, dy, dy, rows, weights_.out);
    if (dx == nullptr) return;
    BfloatRows& rounded = scratch_[static_cast<std::size_t>(block.thread)].dy;
    rounded.take(dy, rows);
    bfloat16_product(rounded, rows, transposed_, nullptr, dx);
  }

  const DenseWeights* weights() const override { return &weights_; }

 private:
  struct Scratch {
    BfloatRows x, dy;
  };

  DenseWeights weights_;
  ActivationFunction activation_;
  float* const* base_;
  BfloatPairs kernel_, transposed_;  // (in, out) for forward, (out, in) for backward
  std::int64_t piece_;               // rows of the kernel
  std::int64_t rows_ = 0;
  mutable std::vector<Scratch> scratch_;  // one per thread
};

}  // namespace

std::unique_ptr<Op> make_bfloat16_dense_op(const DenseWeights& weights, ActivationFunction activation, float* const* base) {
  return std::make_unique<Bfloat16DenseOp>(weights, activation, base);
}

}  // namespace lockstep
