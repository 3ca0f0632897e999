#include "core/layers/op.h"

#include <algorithm>
#include <stdexcept>

#include "core/math/gemm/products.h"

namespace lockstep {
namespace {

constexpr std::int64_t kAlignment = 16;  // floats: a cache line

}  // namespace

ProductPart part_of(const Product& product, VariableRange slice) {
  const std::int64_t end = slice.offset + slice.count;
  return {std::min((slice.offset - product.kernel) / product.out, product.in), std::min((end - product.kernel) / product.out, product.in),
          product.bias >= 0 && end > product.bias};
}

void Op::place(float* const* base, std::int64_t offset) {
  std::int64_t end = offset;
  for (Weight& weight : weights_) {
    if (!weight.trainable) continue;
    weight.offset = end;
    end += elements(weight.shape);
  }
  padding_ = (kAlignment - (end - offset) % kAlignment) % kAlignment;
  base_ = base;
  slice_ = {offset, end - offset + padding_};
}

std::span<float> Op::values(std::size_t i) {
  const Weight& weight = weights_[i];
  return {parameters() + weight.offset, static_cast<std::size_t>(elements(weight.shape))};
}

void Op::add_kernel_gradient(const float* x, const float* dy, const Block& block, const KernelPart& part, float factor, float* to) const {
  const Product& of = *product();
  WeightGradient{x, dy, block.rows * of.repeat, of.in, of.out, part.first, part.last, part.column, part.columns}.add(factor, to);
}

void Op::gradient(const float* /*x*/, const float* /*dy*/, const Block& /*block*/, VariableRange /*part*/, float* /*to*/) const {
  throw std::logic_error("an op with trainable weights needs a gradient()");
}

BuiltLayer one_op(Shape output, std::unique_ptr<Op> op) {
  BuiltLayer built{.output = std::move(output)};
  built.ops.push_back(std::move(op));
  return built;
}

BuiltLayer same_shape(const LayerSite& site, std::unique_ptr<Op> op) { return one_op(site.input, std::move(op)); }

}  // namespace lockstep
