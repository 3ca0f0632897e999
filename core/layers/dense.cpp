#include "core/layers/dense.h"

#include <algorithm>

#include "core/layers/activation.h"
#include "core/layers/activity_regularizer.h"
#include "core/layers/dense_op.h"
#include "core/math/gemm/products.h"

namespace lockstep {
namespace {

std::int64_t ratio(std::int64_t a, std::int64_t b) { return (a + b - 1) / b; }

/// By the kernels of core/math/gemm/products.h: each sum has one order on every CPU, however a product is cut.
class PortableDenseOp final : public DenseOp {
 public:
  PortableDenseOp(const Dense& layer, const Shape& input, ActivationFunction activation) : DenseOp(layer, input, activation) {
    product_.in_columns = true;
  }
  explicit PortableDenseOp(const DenseOp& op) : DenseOp(op) {
    product_.in_columns = true;
    part_multiple_ = kPartMultiple;
  }

  bool row_count_invariant() const override { return true; }
  Computation computation() const override { return {product_kernels(), product_operations()}; }
  std::unique_ptr<Op> with_products(Products products) const override {
    return products == Products::portable ? nullptr : dense_op(*this, products);
  }

  void forward(const float* x, float* y, const Block& block) const override {
    multiply(x, y, block.rows, 0, product_.out);
    finish(y, block);
  }

  void backward(const float* /*x*/, const float* y, float* dy, float* dx, const Block& block) const override {
    to_delta(y, dy, block);
    if (dx != nullptr) product_backward_data(dy, kernel(), dx, block.rows * product_.repeat, product_.in, product_.out);
  }

  void multiply(const float* x, float* y, std::int64_t rows, std::int64_t column, std::int64_t columns) const override {
    product_forward(x, kernel(), bias(), activation_ == relu, y, rows * product_.repeat, product_.in, product_.out, column, columns);
  }

  void finish(float* y, const Block& block) const override {
    if (!block.logits && activation_ != relu) activate(activation_, y, y, block.rows * product_.repeat, product_.out);
  }
};

Shape output_shape(const Dense& layer, const Shape& input) {
  if (input.empty()) throw layer_error(layer, "needs an input with at least one axis besides the batch; put a Flatten before it");
  Shape output = input;
  output.back() = layer.units;
  return fitting(layer, output);
}

}  // namespace

DenseOp::DenseOp(const Dense& layer, const Shape& input, ActivationFunction activation) : activation_(activation) {
  product_.in = input.back();
  product_.out = layer.units;
  product_.repeat = elements(input) / input.back();
  in = product_.in * product_.repeat;
  out = product_.out * product_.repeat;
  weights_.push_back({"kernel", {product_.in, product_.out}, layer.kernel_initializer, layer.kernel_regularizer, layer.kernel_constraint});
  if (layer.use_bias) weights_.push_back({"bias", {product_.out}, layer.bias_initializer, layer.bias_regularizer, layer.bias_constraint});
}

void DenseOp::place(float* const* base, std::int64_t offset) {
  Op::place(base, offset);
  product_.kernel = weights_[0].offset;
  product_.bias = weights_.size() > 1 ? weights_[1].offset : -1;
}

/// Rows of the kernel, about 8 Ki floats a part, at most 32 parts: small enough to share a layer among ranks and threads, large enough for
/// a GEMM. The last one has the bias.
std::int64_t DenseOp::part_rows() const {
  constexpr std::int64_t kFloats = 8 << 10, kMost = 32;
  const std::int64_t count = std::clamp<std::int64_t>(product_.in * product_.out / kFloats, 1, kMost);
  return ratio(ratio(product_.in, count), part_multiple_) * part_multiple_;
}

std::vector<VariableRange> DenseOp::parts() const {
  const std::int64_t rows = part_rows();
  std::vector<VariableRange> parts;
  for (std::int64_t first = 0; first < product_.in; first += rows) {
    const std::int64_t offset = product_.kernel + first * product_.out;
    const std::int64_t end = first + rows < product_.in ? offset + rows * product_.out : slice().offset + slice().count;
    parts.push_back({offset, end - offset});
  }
  return parts;
}

void DenseOp::gradient(const float* x, const float* dy, const Block& block, VariableRange part, float* to) const {
  const auto [first, last, bias] = part_of(product_, part);
  const std::int64_t vectors = block.rows * product_.repeat;
  if (first < last) WeightGradient{x, dy, vectors, product_.in, product_.out, first, last, 0, product_.out}.write(to);
  if (bias) bias_gradient(dy, vectors, product_.out, to + (product_.bias - part.offset));
}

void DenseOp::to_delta(const float* y, float* dy, const Block& block) const {
  if (block.logits || activation_ == linear) return;
  activation_gradient(activation_, nullptr, y, dy, dy, block.rows * product_.repeat, product_.out);
}

std::unique_ptr<Op> dense_op(const DenseOp& op, Products products) {
  switch (products) {
    case Products::onednn:
      if (std::unique_ptr<Op> onednn = onednn_dense_op(op)) return onednn;
      break;
    case Products::bfloat16: return bfloat16_dense_op(op);
    case Products::portable: break;
  }
  return std::make_unique<PortableDenseOp>(op);
}

BuiltLayer build(const Dense& layer, const LayerSite& site) {
  const Shape output = output_shape(layer, site.input);
  const bool keeps_input = !derivative_from_output(layer.activation);  // its backward reads the pre-activation: an op of its own
  BuiltLayer built{.output = output};
  built.ops.push_back(std::make_unique<PortableDenseOp>(layer, site.input, keeps_input ? linear : layer.activation));
  if (keeps_input) built.ops.push_back(std::move(build(Activation{layer.activation}, {.input = output}).ops.front()));
  add_activity_regularizer(layer.activity_regularizer, built);
  return built;
}

}  // namespace lockstep
