#include "core/exchange/bfloat16_factors.h"

#include <algorithm>

namespace lockstep {

Bfloat16Factors::Bfloat16Factors(Pass& pass, const Network& network, std::span<const std::size_t> trainable) : threads_(pass.threads()) {
  for (const std::size_t op : trainable) {
    Layer& layer = layers_.emplace_back();
    const Product* product = network.ops()[op]->product();
    if (product == nullptr) continue;
    const std::int64_t rows = pass.visible_rows() * product->repeat;
    layer.x = {pass.visible_values(op), rows, BfloatPairs(rows, product->in)};
    layer.d = {pass.visible_deltas(op + 1), rows, BfloatPairs(rows, product->out)};
    layer.product = true;
  }
}

void Bfloat16Factors::take(std::span<const GradientBlock> blocks) {
  for (Layer& layer : layers_) layer.wanted = false;
  for (const GradientBlock& block : blocks) layers_[block.layer].wanted = true;
  for (Layer& layer : layers_) {
    if (!layer.wanted || !layer.product) continue;
    take(layer.x);
    take(layer.d);
  }
}

void Bfloat16Factors::take(Matrix& matrix) {
  const std::int64_t piece = bfloat16_piece(matrix.pairs.columns());
  for_each_grain(threads_, (matrix.rows + piece - 1) / piece,
                 [&](std::int64_t i) { matrix.pairs.take(matrix.values.data(), i * piece, std::min(matrix.rows, (i + 1) * piece)); });
}

void Bfloat16Factors::form(const GradientBlock& block, float factor, bool add, float* target) const {
  const Layer& layer = layers_[block.layer];
  bfloat16_gradient(layer.x.pairs, layer.d.pairs, block.first, block.last, factor, add, target);
}

}  // namespace lockstep
