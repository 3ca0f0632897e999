#include "core/layers/preprocessing/rescaling.h"

#include "core/layers/op.h"
#include "core/math/elementwise.h"

namespace lockstep {
namespace {

class RescalingOp final : public Op {
 public:
  RescalingOp(const Rescaling& layer, std::int64_t elements) : layer_(layer) { in = out = elements; }
  void forward(const float* x, float* y, const Block& block) const override { affine(x, y, block.rows * in, layer_.scale, layer_.offset); }
  void backward(const float*, const float*, float* dy, float* dx, const Block& block) const override {
    if (dx != nullptr) affine(dy, dx, block.rows * in, layer_.scale, 0);
  }
  std::optional<ScaleAndOffset> scale_and_offset() const override { return ScaleAndOffset{layer_.scale, layer_.offset}; }

 private:
  Rescaling layer_;
};

}  // namespace

BuiltLayer build(const Rescaling& layer, const LayerSite& site) {
  return same_shape(site, std::make_unique<RescalingOp>(layer, elements(site.input)));
}

}  // namespace lockstep
