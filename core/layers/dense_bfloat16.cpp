#include <algorithm>
#include <vector>

#include "core/layers/dense_op.h"
#include "core/math/bfloat16.h"

namespace lockstep {
namespace {

/// Dense with products in bfloat16, Keras' policy mixed_bfloat16: y = f(x W + b), where x, W and dy are rounded to bfloat16 on their way
/// into a product. Sums, bias, activation and everything outside are float32.
class Bfloat16DenseOp final : public DenseOp {
 public:
  explicit Bfloat16DenseOp(const DenseOp& op)
      : DenseOp(op), kernel_(product_.in, product_.out), transposed_(product_.out, product_.in), piece_(bfloat16_piece(product_.out)) {
    product_.in_columns = false;
    part_multiple_ = kPartMultiple;
  }

  Computation computation() const override { return {"own kernels, AVX512_BF16", product_operations()}; }
  std::unique_ptr<Op> with_products(Products products) const override {
    return products == Products::bfloat16 ? nullptr : dense_op(*this, products);
  }

  void prepare(std::int64_t rows, int threads) override {
    if (rows > rows_ || threads > static_cast<int>(scratch_.size())) {
      rows_ = std::max(rows, rows_);
      const Scratch scratch{BfloatRows(rows_ * product_.repeat, product_.in), BfloatRows(rows_ * product_.repeat, product_.out)};
      scratch_.assign(std::max(scratch_.size(), static_cast<std::size_t>(threads)), scratch);
    }
    for (std::int64_t piece = 0; piece < refreshes(); ++piece) refresh(piece, false);
  }

  std::int64_t refreshes() const override { return (product_.in + piece_ - 1) / piece_; }

  void refresh(std::int64_t piece, bool backward) override {
    const std::int64_t first = piece * piece_, last = std::min(first + piece_, product_.in);
    kernel_.take(kernel(), first, last);
    if (backward) transposed_.take_transposed(kernel(), first, last);
  }

  void forward(const float* x, float* y, const Block& block) const override {
    const std::int64_t rows = block.rows * product_.repeat;
    BfloatRows& rounded = scratch_[static_cast<std::size_t>(block.thread)].x;
    rounded.take(x, rows);
    bfloat16_product(rounded, rows, kernel_, bias(), y);
    if (!block.logits && activation_ != linear) activate(activation_, y, y, rows, product_.out);
  }

  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    const std::int64_t rows = block.rows * product_.repeat;
    to_delta(y, dy, block);
    if (dx == nullptr) return;
    BfloatRows& rounded = scratch_[static_cast<std::size_t>(block.thread)].dy;
    rounded.take(dy, rows);
    bfloat16_product(rounded, rows, transposed_, nullptr, dx);
  }

 private:
  struct Scratch {
    BfloatRows x, dy;
  };

  BfloatPairs kernel_, transposed_;  // (in, out) for forward, (out, in) for backward
  std::int64_t piece_;               // rows of the kernel
  std::int64_t rows_ = 0;
  mutable std::vector<Scratch> scratch_;  // one per thread
};

}  // namespace

std::unique_ptr<Op> bfloat16_dense_op(const DenseOp& op) { return std::make_unique<Bfloat16DenseOp>(op); }

}  // namespace lockstep
