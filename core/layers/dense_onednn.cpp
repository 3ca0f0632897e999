#include "core/layers/dense_op.h"
#include "core/math/gemm/products.h"
#include "core/math/onednn/inner_product.h"
#include "core/math/onednn/kernel_gradient.h"

namespace lockstep {
namespace {

/// By oneDNN's inner products, forward and backward, and matmuls for the kernel's gradient.
class OnednnDenseOp final : public DenseOp {
 public:
  explicit OnednnDenseOp(const DenseOp& op) : DenseOp(op), inner_product_({product_.in, product_.out, product_.bias >= 0}) {
    product_.in_columns = false;
    part_multiple_ = 48;  // whole tiles of oneDNN's matmuls on AVX2 and AVX-512
  }

  bool keeps_bits() const { return inner_product_.keeps_bits(); }

  bool row_count_invariant() const override { return true; }
  Computation computation() const override { return {"oneDNN, " + inner_product_.implementation(), product_operations()}; }
  std::unique_ptr<Op> with_products(Products products) const override {
    return products == Products::onednn ? nullptr : dense_op(*this, products);
  }

  void prepare(std::int64_t rows, int threads) override { inner_product_.prepare(rows * product_.repeat, threads); }

  void forward(const float* x, float* y, const Block& block) const override {
    const std::int64_t rows = block.rows * product_.repeat;
    inner_product_.forward(x, kernel(), bias(), y, rows, block.thread);
    if (!block.logits && activation_ != linear) activate(activation_, y, y, rows, product_.out);
  }

  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    to_delta(y, dy, block);
    if (dx != nullptr) inner_product_.backward_data(dy, kernel(), dx, block.rows * product_.repeat, block.thread);
  }

  void prepare_gradient(std::int64_t rows, std::span<const std::int64_t> heights, bool adds, int threads) override {
    if (!gradient_) gradient_.emplace(product_.in, product_.out, part_rows());
    gradient_->prepare(rows * product_.repeat, heights, adds, threads);
  }

  void gradient(const float* x, const float* dy, const Block& block, VariableRange part, float* to) const override {
    const auto [first, last, bias] = part_of(product_, part);
    const std::int64_t rows = block.rows * product_.repeat;
    if (first < last) gradient_->write(x, dy, rows, first, last, to, block.thread);
    if (bias) bias_gradient(dy, rows, product_.out, to + (product_.bias - part.offset));
  }

  void add_kernel_gradient(const float* x, const float* dy, const Block& block, const KernelPart& part, float factor,
                           float* to) const override {
    gradient_->add(factor, x, dy, block.rows * product_.repeat, part.first, part.last, to, block.thread);
  }

 private:
  InnerProduct inner_product_;
  std::optional<KernelGradient> gradient_;
};

}  // namespace

std::unique_ptr<Op> onednn_dense_op(const DenseOp& op) {
  constexpr std::int64_t kMostKernel = 1 << 26, kMostWidth = 1 << 18;  // floats
  const Product& product = *op.product();
  if (product.in > kMostKernel / product.out || product.in + product.out > kMostWidth) return nullptr;
  auto made = std::make_unique<OnednnDenseOp>(op);
  if (!made->keeps_bits()) return nullptr;
  return made;
}

}  // namespace lockstep
