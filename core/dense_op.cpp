#include <stdexcept>
#include <string>
#include <vector>

#include "cluster/clones.h"
#include "core/op.h"
#include "core/ops.h"

namespace lockstep {
namespace {

LOCKSTEP_CLONES void add_bias(float* y, const float* bias, std::int64_t rows, std::int64_t out) {
  for (std::int64_t r = 0; r < rows; ++r) {
    for (std::int64_t k = 0; k < out; ++k) y[r * out + k] += bias[k];
  }
}

/// Dense, keras/src/layers/core/dense.py: y = f(x W + b) over the last axis.
class DenseOp final : public Op {
 public:
  DenseOp(const DenseWeights& weights, ActivationFunction activation, float* const* base)
      : weights_(weights), activation_(activation), base_(base) {
    in = weights.in * weights.repeat;
    out = weights.out * weights.repeat;
  }

  void prepare(std::int64_t rows, int threads) override {
    const ActivationFunction fused = InnerProduct::fusible(activation_) ? activation_ : linear;
    std::erase_if(products_, [&](const Prepared& p) { return p.rows == rows && p.threads < threads; });
    for (const Prepared& p : products_) {
      if (p.rows == rows) return;
    }
    products_.push_back({rows, threads, InnerProduct(rows * weights_.repeat, weights_.in, weights_.out, weights_.bias >= 0, fused, threads)});
  }

  void forward(const float* x, float* y, const Block& block) const override {
    product(block.rows).forward(x, *base_ + weights_.kernel, weights_.bias >= 0 ? *base_ + weights_.bias : nullptr, y, block.thread);
    if (!block.logits && !InnerProduct::fusible(activation_)) activate(activation_, y, y, block.rows * weights_.repeat, weights_.out);
  }

  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    if (!block.logits && activation_ != linear) {
      activation_gradient(activation_, nullptr, y, dy, dy, block.rows * weights_.repeat, weights_.out);
    }
    if (dx != nullptr) product(block.rows).backward_data(dy, *base_ + weights_.kernel, dx, block.thread);
  }

  const DenseWeights* weights() const override { return &weights_; }

  void multiply(const float* x, float* y, std::int64_t rows, std::int64_t column, std::int64_t columns) const override {
    multiply_columns(x, *base_ + weights_.kernel, y, rows * weights_.repeat, weights_.in, weights_.out, column, columns);
  }

  void finish(float* y, const Block& block) const override {
    const std::int64_t rows = block.rows * weights_.repeat;
    if (weights_.bias >= 0) add_bias(y, *base_ + weights_.bias, rows, weights_.out);
    if (!block.logits) activate(activation_, y, y, rows, weights_.out);
  }

 private:
  /// Training and evaluation work on blocks of different sizes, in turns.
  struct Prepared {
    std::int64_t rows;
    int threads;
    InnerProduct product;
  };
  const InnerProduct& product(std::int64_t rows) const {
    for (const Prepared& p : products_) {
      if (p.rows == rows) return p.product;
    }
    throw std::logic_error("Dense: no primitive was prepared for blocks of " + std::to_string(rows) + " rows");
  }

  DenseWeights weights_;
  ActivationFunction activation_;
  float* const* base_;
  std::vector<Prepared> products_;
};

}  // namespace

std::unique_ptr<Op> make_dense_op(const DenseWeights& weights, ActivationFunction activation, float* const* base) {
  return std::make_unique<DenseOp>(weights, activation, base);
}

}  // namespace lockstep
