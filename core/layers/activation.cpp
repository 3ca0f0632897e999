#include "core/layers/activation.h"

#include <algorithm>

#include "core/layers/op.h"

namespace lockstep {
namespace {

class ActivationOp final : public Op {
 public:
  ActivationOp(ActivationFunction function, std::int64_t elements, std::int64_t last_axis) : function_(function), last_axis_(last_axis) {
    in = out = elements;
  }
  void forward(const float* x, float* y, const Block& block) const override {
    if (block.logits) {
      std::copy_n(x, block.rows * in, y);
      return;
    }
    activate(function_, x, y, block.rows * (in / last_axis_), last_axis_);
  }
  void backward(const float* x, const float* y, float* dy, float* dx, const Block& block) const override {
    if (dx == nullptr) return;
    if (block.logits) {
      std::copy_n(dy, block.rows * in, dx);
      return;
    }
    activation_gradient(function_, x, y, dy, dx, block.rows * (in / last_axis_), last_axis_);
  }
  std::optional<ActivationFunction> activation() const override { return function_; }

 private:
  ActivationFunction function_;
  std::int64_t last_axis_;
};

}  // namespace

BuiltLayer build(const Activation& layer, const LayerSite& site) {
  const std::int64_t last_axis = site.input.empty() ? 1 : site.input.back();
  return same_shape(site, std::make_unique<ActivationOp>(layer.function, elements(site.input), last_axis));
}

}  // namespace lockstep
