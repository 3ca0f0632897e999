#include "core/layers/op.h"
#include "core/math/onednn.h"

namespace lockstep {
namespace {

/// Dense, keras/src/layers/core/dense.py: y = f(x W + b) over the last axis.
class DenseOp final : public Op {
 public:
  DenseOp(const DenseWeights& weights, ActivationFunction activation, float* const* base)
      : weights_(weights), activation_(activation), base_(base) {
    in = weights.in * weights.repeat;
    out = weights.out * weights.repeat;
  }

  bool any_rows() const override { return true; }

  void forward(const float* x, float* y, const Block& block) const override {
    multiply(x, y, block.rows, 0, weights_.out);
    finish(y, block);
  }

  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    const std::int64_t rows = block.rows * weights_.repeat;
    if (!block.logits && activation_ != linear) activation_gradient(activation_, nullptr, y, dy, dy, rows, weights_.out);
    if (dx != nullptr) dense_backward_data(dy, *base_ + weights_.kernel, dx, rows, weights_.in, weights_.out);
  }

  const DenseWeights* weights() const override { return &weights_; }

  void multiply(const float* x, float* y, std::int64_t rows, std::int64_t column, std::int64_t columns) const override {
    const float* const bias = weights_.bias >= 0 ? *base_ + weights_.bias : nullptr;
    dense_forward(x, *base_ + weights_.kernel, bias, activation_ == relu, y, rows * weights_.repeat, weights_.in, weights_.out, column,
                  columns);
  }

  void finish(float* y, const Block& block) const override {
    if (!block.logits && activation_ != relu) activate(activation_, y, y, block.rows * weights_.repeat, weights_.out);
  }

 private:
  DenseWeights weights_;
  ActivationFunction activation_;
  float* const* base_;
};

}  // namespace

std::unique_ptr<Op> make_dense_op(const DenseWeights& weights, ActivationFunction activation, float* const* base) {
  return std::make_unique<DenseOp>(weights, activation, base);
}

}  // namespace lockstep
