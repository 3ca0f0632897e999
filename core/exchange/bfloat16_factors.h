#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "core/exchange/exchange.h"
#include "core/math/bfloat16.h"
#include "core/network/pass.h"

namespace lockstep {

/// Gradients X^T D of the ops that offer a product, with products in bfloat16 and float32 sums. X and D are exchanged as float32 and
/// rounded here, by every rank for itself.
class Bfloat16Factors {
 public:
  /// `trainable`: the ops with weights in the order of GradientBlock::layer. Both must outlive this object.
  Bfloat16Factors(Pass& pass, const Network& network, std::span<const std::size_t> trainable);

  /// Rounds the rows in this rank's sight, for the layers of these blocks.
  void take(std::span<const GradientBlock> blocks);
  /// Whether form() has this layer.
  bool has(std::size_t layer) const { return layers_[layer].product; }
  /// Rows [block.first, block.last) of factor * X^T D to `target`, or with `add` on top of it.
  void form(const GradientBlock& block, float factor, bool add, float* target) const;

 private:
  struct Matrix {
    std::span<const float> values;
    std::int64_t rows = 0;
    BfloatPairs pairs;
  };
  struct Layer {
    Matrix x, d;
    bool product = false, wanted = false;
  };
  void take(Matrix& matrix);

  int threads_;
  std::vector<Layer> layers_;
};

}  // namespace lockstep
