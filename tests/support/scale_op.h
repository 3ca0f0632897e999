#pragma once
#include <algorithm>
#include <memory>

#include "core/layers/op.h"

namespace lockstep::test {

/// y = x * scale, a weight for each feature: an op that the library does not know, and whose gradient is no product.
class ScaleOp final : public Op {
 public:
  explicit ScaleOp(std::int64_t features, const Regularizer& regularizer = {}) {
    in = out = features;
    weights_.push_back({.name = "scale", .shape = {features}, .initializer = Initializer::ones, .regularizer = regularizer});
  }

  void forward(const float* x, float* y, const Block& block) const override { scale(x, y, block.rows); }
  void backward(const float* /*x*/, const float* /*y*/, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) scale(dy, dx, block.rows);
  }
  void gradient(const float* x, const float* dy, const Block& block, VariableRange /*part*/, float* to) const override {
    std::fill_n(to, in, 0.F);
    for (std::int64_t i = 0; i < block.rows * in; ++i) to[i % in] += x[i] * dy[i];
  }

 private:
  void scale(const float* from, float* to, std::int64_t rows) const {
    const float* const weights = parameters() + weights_[0].offset;
    for (std::int64_t i = 0; i < rows * in; ++i) to[i] = from[i] * weights[i % in];
  }
};

inline BuiltLayer scale_layer(std::int64_t features, const Regularizer& regularizer = {}) {
  BuiltLayer layer{.output = {features}, .name = "scale", .class_name = "Scale"};
  layer.ops.push_back(std::make_unique<ScaleOp>(features, regularizer));
  return layer;
}

/// `layer` as number `index` of a model, for rows of `features` numbers.
inline BuiltLayer built(const Dense& layer, std::int64_t features, std::size_t index, std::uint64_t seed = 0) {
  BuiltLayer result = build(layer, LayerSite{{features}, index, seed});
  result.name = "dense_" + std::to_string(index);
  result.class_name = "Dense";
  return result;
}

}  // namespace lockstep::test
